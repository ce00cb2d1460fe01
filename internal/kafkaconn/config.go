// Package kafkaconn is the one place that builds connections to Kafka: brokers, TLS and SASL.
//
// Every request goes through a kafka.Transport that is made here from one Config. Its connections are secured here as well, not by
// kafka-go, which would keep the certificates of the start and would let a login's session end.
package kafkaconn

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"sluice/internal/settings"
)

// Config says how to reach Kafka and which topics are Sluice's.
type Config struct {
	Brokers          []string `name:"kafka-brokers" placeholder:"HOST:PORT,…" default:"${kafka_brokers}" help:"Kafka brokers to begin with; the others are learnt from them."`
	Topic            string   `name:"kafka-topic" default:"events" help:"Topic the events are on."`
	DeadTopic        string   `name:"kafka-dead-topic" default:"events.dead" help:"Topic for dead letters: records that cannot become a row."`
	TLS              bool     `name:"kafka-tls" help:"Connect to Kafka with TLS."`
	TLSCAFile        string   `name:"kafka-tls-ca-file" placeholder:"FILE" help:"PEM file with the authorities that sign the brokers' certificates; read again at each connect. Without it the system's."`
	TLSCertFile      string   `name:"kafka-tls-cert-file" placeholder:"FILE" help:"PEM file with the client certificate; read again at each connect. Goes with the key file."`
	TLSKeyFile       string   `name:"kafka-tls-key-file" placeholder:"FILE" help:"PEM file with the client certificate's key; read again at each connect."`
	SASLMechanism    string   `name:"kafka-sasl-mechanism" placeholder:"NAME" help:"How to log in to Kafka: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. Without it there is no login."`
	SASLUsername     string   `name:"kafka-sasl-username" placeholder:"NAME" help:"User name for the login."`
	SASLPassword     string   `name:"kafka-sasl-password" placeholder:"SECRET" help:"Password for the login. A flag can be read by others on the machine: prefer the environment or the file."`
	SASLPasswordFile string   `name:"kafka-sasl-password-file" placeholder:"FILE" help:"File with the password; read again at each connect."`
}

// DefaultBrokers is where a broker on this machine listens.
const DefaultBrokers = "127.0.0.1:9092"

// topicName is Kafka's own rule for a topic's name.
var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// Check reports every fault of the settings.
func (c Config) Check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if len(c.Brokers) == 0 {
		fault("--kafka-brokers: name at least one broker as host:port")
	}
	for i, b := range c.Brokers {
		if err := settings.CheckServer(b); err != nil {
			fault("--kafka-brokers: %w", err)
		} else if slices.Contains(c.Brokers[:i], b) {
			fault("--kafka-brokers: %q is named twice", b)
		}
	}
	for _, t := range []struct{ flag, name string }{{"--kafka-topic", c.Topic}, {"--kafka-dead-topic", c.DeadTopic}} {
		if !topicName.MatchString(t.name) || t.name == "." || t.name == ".." {
			fault("%s: %s is not a topic name: letters, digits, dot, dash and underscore, at most 249", t.flag, settings.Shown(t.name))
		}
	}
	if c.Topic == c.DeadTopic {
		fault("--kafka-dead-topic: dead letters need a topic of their own, not %q", c.Topic)
	}
	if !c.TLS && (c.TLSCAFile != "" || c.TLSCertFile != "" || c.TLSKeyFile != "") {
		fault("--kafka-tls: certificates are given, but TLS is off; add --kafka-tls")
	}
	if (c.TLSCertFile == "") != (c.TLSKeyFile == "") {
		fault("--kafka-tls-cert-file and --kafka-tls-key-file go together")
	}
	if err := settings.CheckWord(c.SASLUsername); err != nil {
		fault("--kafka-sasl-username: %w", err)
	}
	if strings.ContainsFunc(c.SASLPassword, unicode.IsControl) {
		fault("--kafka-sasl-password: it has a line break or another control character in it")
	}
	faults = append(faults, c.validateSASL())
	return errors.Join(faults...)
}

// CheckFiles reports files that are named and cannot be used. They are read again at each connect; this is for whoever wants to
// know before.
func (c Config) CheckFiles() error {
	var faults []error
	if c.TLSCertFile == "" || c.TLSKeyFile == "" {
		c.TLSCertFile = "" // reported by Check
	}
	if _, err := c.tlsConfig(); err != nil {
		faults = append(faults, err)
	}
	if c.SASLPasswordFile != "" {
		if err := settings.CheckFile(c.SASLPasswordFile); err != nil {
			faults = append(faults, fmt.Errorf("--kafka-sasl-password-file: %w", err))
		}
	}
	return errors.Join(faults...)
}

func (c Config) validateSASL() error {
	given := c.SASLUsername != "" || c.SASLPassword != "" || c.SASLPasswordFile != ""
	switch strings.ToUpper(c.SASLMechanism) {
	case "":
		if given {
			return errors.New("--kafka-sasl-mechanism: a user or a password is given; say how to log in: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
		}
		return nil
	case "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512":
	default:
		return fmt.Errorf("--kafka-sasl-mechanism: %s is not known; use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", settings.Shown(c.SASLMechanism))
	}
	switch {
	case c.SASLUsername == "":
		return errors.New("--kafka-sasl-username: the login needs a user name")
	case c.SASLPassword == "" && c.SASLPasswordFile == "":
		return errors.New("--kafka-sasl-password or --kafka-sasl-password-file: the login needs a password")
	case c.SASLPassword != "" && c.SASLPasswordFile != "":
		return errors.New("--kafka-sasl-password and --kafka-sasl-password-file: give one of the two")
	}
	return nil
}
