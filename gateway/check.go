package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/gateway/kafka"
	"sluice/gateway/spool"
	"sluice/internal/kafkaconn"
)

// checkTopicTimeout bounds CheckTopic's request to Kafka.
const checkTopicTimeout = 3 * time.Second

// CheckTopic asks Kafka whether the events topic takes what a gateway with these settings accepts. The error joins
// every reason why the topic does not. The notes are advice, and say so if the topic could not be checked: Kafka need
// not run when settings are checked. With faulty settings CheckTopic returns nothing; Config.Check reports those.
func CheckTopic(ctx context.Context, cfg Config, conn kafkaconn.Config) (notes []string, err error) {
	if cfg.Check() != nil || conn.Check() != nil {
		return nil, nil
	}
	producer, err := kafka.New(kafka.Config{Conn: conn, Timeout: checkTopicTimeout})
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	ctx, cancel := context.WithTimeout(ctx, checkTopicTimeout)
	defer cancel()
	settings, err := producer.Describe(ctx)
	if err != nil {
		return []string{fmt.Sprintf("topic %s was not checked: %v", conn.Topic, err)}, nil
	}
	cannot, should := settings.Faults(cfg.MaxEventBytes)
	var faults []error
	for _, text := range cannot {
		faults = append(faults, fmt.Errorf("topic %s: %s", conn.Topic, text))
	}
	for _, text := range should {
		notes = append(notes, fmt.Sprintf("topic %s: %s", conn.Topic, text))
	}
	return notes, errors.Join(faults...)
}

// CheckSpool returns the error that a gateway with these settings would get from its spool's directory. It leaves
// nothing behind, and a running gateway may use the directory.
func CheckSpool(cfg Config) error {
	if cfg.SpoolDir == "" {
		return nil
	}
	return spool.Check(cfg.SpoolDir)
}
