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

// Config says how to reach Kafka and names Sluice's topics.
type Config struct {
	Brokers          []string `name:"kafka-brokers" placeholder:"HOST:PORT,…" default:"${kafka_brokers}" help:"Kafka brokers to connect to first; they name the others."`
	Topic            string   `name:"kafka-topic" default:"events" help:"Topic of the events."`
	DeadTopic        string   `name:"kafka-dead-topic" default:"events.dead" help:"Topic of the dead letters: records that cannot become a row."`
	TLS              bool     `name:"kafka-tls" help:"Connect to Kafka with TLS."`
	TLSCAFile        string   `name:"kafka-tls-ca-file" placeholder:"FILE" help:"PEM file of the authorities that sign the brokers' certificates; read again at each connect. Default: the system's authorities."`
	TLSCertFile      string   `name:"kafka-tls-cert-file" placeholder:"FILE" help:"PEM file of the client certificate; read again at each connect. Needs --kafka-tls-key-file."`
	TLSKeyFile       string   `name:"kafka-tls-key-file" placeholder:"FILE" help:"PEM file of the client certificate's key; read again at each connect."`
	SASLMechanism    string   `name:"kafka-sasl-mechanism" placeholder:"NAME" help:"SASL mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. Default: no login."`
	SASLUsername     string   `name:"kafka-sasl-username" placeholder:"NAME" help:"User name of the login."`
	SASLPassword     string   `name:"kafka-sasl-password" placeholder:"SECRET" help:"Password of the login. Other users of the machine can read a flag: prefer the environment or the file."`
	SASLPasswordFile string   `name:"kafka-sasl-password-file" placeholder:"FILE" help:"File that holds the password; read again at each connect."`
}

// DefaultBrokers is the address of a broker on this machine.
const DefaultBrokers = "127.0.0.1:9092"

// topicName is Kafka's rule for the name of a topic.
var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// Check reports every fault of the settings, joined into one error. It opens no file.
func (c Config) Check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if len(c.Brokers) == 0 {
		fault("--kafka-brokers: at least one broker is needed, as host:port")
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
			fault("%s: %s is not a topic name: letters, digits, dot, dash and underscore, at most 249", t.flag,
				settings.Shown(t.name))
		}
	}
	if c.Topic == c.DeadTopic {
		fault("--kafka-dead-topic: the dead letters need another topic than the events (%q)", c.Topic)
	}
	if !c.TLS && (c.TLSCAFile != "" || c.TLSCertFile != "" || c.TLSKeyFile != "") {
		fault("--kafka-tls: TLS is off, but a certificate file is set; add --kafka-tls")
	}
	if (c.TLSCertFile == "") != (c.TLSKeyFile == "") {
		fault("--kafka-tls-cert-file and --kafka-tls-key-file go together")
	}
	if err := settings.CheckWord(c.SASLUsername); err != nil {
		fault("--kafka-sasl-username: %w", err)
	}
	if strings.ContainsFunc(c.SASLPassword, unicode.IsControl) {
		fault("--kafka-sasl-password: the password contains a line break or another control character")
	}
	faults = append(faults, c.validateSASL())
	return errors.Join(faults...)
}

// CheckFiles reports the files in the settings that cannot be used. Each connect reads the files again; CheckFiles
// finds a bad file before the first connect.
func (c Config) CheckFiles() error {
	var faults []error
	if c.TLSCertFile == "" || c.TLSKeyFile == "" {
		c.TLSCertFile = "" // Check reports this
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
			return errors.New("--kafka-sasl-mechanism: a login needs one: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
		}
		return nil
	case "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512":
	default:
		return fmt.Errorf("--kafka-sasl-mechanism: %s is unknown; use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
			settings.Shown(c.SASLMechanism))
	}
	switch {
	case c.SASLUsername == "":
		return errors.New("--kafka-sasl-username: the login needs a user name")
	case c.SASLPassword == "" && c.SASLPasswordFile == "":
		return errors.New("--kafka-sasl-password or --kafka-sasl-password-file: the login needs a password")
	case c.SASLPassword != "" && c.SASLPasswordFile != "":
		return errors.New("--kafka-sasl-password and --kafka-sasl-password-file: set only one of them")
	}
	return nil
}
