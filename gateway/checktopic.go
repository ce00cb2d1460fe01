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

// checkTopicTimeout bounds the question of CheckTopic.
const checkTopicTimeout = 3 * time.Second

// CheckTopic asks Kafka whether the events topic takes what a gateway with these settings accepts. The error is every reason why
// it does not. The notes are what might be better, and what could not be asked: Kafka need not run when settings are checked.
func CheckTopic(ctx context.Context, cfg Config, conn kafkaconn.Config) (notes []string, err error) {
	if cfg.Check() != nil || conn.Check() != nil {
		return nil, nil // said by whoever checks them
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

// CheckSpool reports what a gateway with these settings would find wrong with its spool's directory. It leaves nothing behind,
// and does not mind a gateway that uses the directory.
func CheckSpool(cfg Config) error {
	if cfg.SpoolDir == "" {
		return nil
	}
	return spool.Check(cfg.SpoolDir)
}
