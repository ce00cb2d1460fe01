// Command sentry sends errors, messages, a log line, a transaction and an attachment with sentry-go: sentry URL KEY
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/getsentry/sentry-go"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: sentry URL KEY")
	}
	scheme, host, _ := strings.Cut(os.Args[1], "://")
	err := sentry.Init(sentry.ClientOptions{
		Dsn:     fmt.Sprintf("%s://%s@%s/42", scheme, os.Args[2], host),
		Release: "shop@1.2.3", Environment: "staging", ServerName: "host-1",
		EnableTracing: true, TracesSampleRate: 1, AttachStacktrace: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	sentry.ConfigureScope(func(s *sentry.Scope) {
		s.SetUser(sentry.User{ID: "u-1", Email: "ann@example.com"})
		s.SetTag("region", "eu")
	})
	sentry.CaptureException(fmt.Errorf("payment failed: %w", errors.New("card refused")))
	sentry.WithScope(func(s *sentry.Scope) {
		s.SetLevel(sentry.LevelWarning)
		sentry.CaptureMessage("stock is low")
	})
	sentry.WithScope(func(s *sentry.Scope) {
		s.SetFingerprint([]string{"{{ default }}", "receipts"})
		s.SetLevel(sentry.LevelFatal)
		s.AddAttachment(&sentry.Attachment{Filename: "receipt.bin", Payload: []byte("\x00\x01receipt\n")})
		sentry.CaptureMessage("with a receipt")
	})

	tx := sentry.StartTransaction(context.Background(), "checkout", sentry.WithOpName("task"))
	tx.StartChild("db").Finish()
	tx.Finish()

	sentry.NewLogger(context.Background()).Warn().String("order", "o-1").Emit("order o-1 is late")
	if !sentry.Flush(20 * time.Second) {
		log.Fatal("not everything was sent in 20 s")
	}
}
