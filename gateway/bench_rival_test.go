package gateway

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/segmentio/kafka-go"
)

// rivalRole is the variable of the environment that turns the test program into a rival of the gateway: rivalEmpty,
// rivalWriter or rivalSticky. The other variables are the rival's broker and topic.
const (
	rivalRole  = "GATEWAY_TEST_RIVAL"
	rivalKafka = "GATEWAY_TEST_RIVAL_KAFKA"
	rivalTopic = "GATEWAY_TEST_RIVAL_TOPIC"

	rivalEmpty  = "empty"
	rivalWriter = "writer" // a batch for each of the partitions at a time
	rivalSticky = "sticky" // the same Writer, but 64 messages go to one partition before the next
)

// runRival serves until standard input ends. It prints the address first.
//
// The rival is a Fiber server that hands each event to kafka-go's Writer, and answers when the Writer returns. It has
// no keys, limits, checks or metrics.
func runRival(role string) error {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	answer := []byte(`{"status":"accepted","event_id":"0193b3c4-5d6e-4a7b-8c9d-0e1f2a3b4c5d"}`)
	accepted := func(c *fiber.Ctx) error {
		c.Status(fiber.StatusAccepted).Context().SetContentType("application/json")
		return c.Send(answer)
	}
	handler := accepted
	if role != rivalEmpty {
		w := rivalOf(role, os.Getenv(rivalKafka), os.Getenv(rivalTopic))
		defer w.Close()
		handler = func(c *fiber.Ctx) error {
			// WriteMessages returns when the message is written, so Fiber may reuse the body afterwards.
			if err := w.WriteMessages(context.Background(), kafka.Message{Value: c.Body()}); err != nil {
				return err
			}
			return accepted(c)
		}
	}
	app.Post(pathEvents, handler)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	served := make(chan error, 1)
	go func() { served <- app.Listener(l) }()
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := app.ShutdownWithTimeout(time.Second); err != nil {
		return err
	}
	return <-served
}

// rivalOf returns the rival's Writer. The other settings that were tried cost more processor time a request: batches of
// up to 20 (0 % more) and 1,000 messages (30 to 40 %), compression (60 %), the balancer LeastBytes (40 %), and the
// default transport, which asks for all topics (60 %). Only one partition for all messages was as good as rivalSticky.
func rivalOf(role, brokers, topic string) *kafka.Writer {
	w := &kafka.Writer{
		Addr: kafka.TCP(strings.Split(brokers, ",")...), Topic: topic, RequiredAcks: kafka.RequireAll,
		BatchTimeout: 2 * time.Millisecond, BatchSize: 100,
		Transport: &kafka.Transport{MetadataTopics: []string{topic}},
	}
	if role == rivalSticky {
		w.Balancer = &kafka.RoundRobin{ChunkSize: 64}
	}
	return w
}
