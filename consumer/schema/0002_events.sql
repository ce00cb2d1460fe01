-- +goose NO TRANSACTION
-- +goose Up
-- What analysts query: one row an event, the first copy received. FINAL takes resends away that have not merged yet.
CREATE VIEW IF NOT EXISTS events AS
SELECT
    project_id, event_id, timestamp, client_timestamp, timestamp_adjusted, received_at, inserted_at, level, message,
    fingerprint, issue_id, exception_type, exception_value, environment, release, platform, server_name, transaction,
    trace_id, user_id, user_email, sdk_name, sdk_version, tags, payload, _topic, _partition, _offset
FROM events_raw FINAL;
