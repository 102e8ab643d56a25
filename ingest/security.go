package ingest

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// TLSConfig says how to talk TLS to the brokers.
type TLSConfig struct {
	Enabled bool
	// CAFile is a PEM file of the authorities to trust; empty: the system's.
	CAFile string
	// CertFile and KeyFile are the client's certificate and key in PEM, for
	// brokers that ask for one; both or neither.
	CertFile string
	KeyFile  string
	// ServerName is the name that the brokers' certificates must carry;
	// empty: each broker's host name.
	ServerName string
}

// config returns nil where TLS is off.
func (c TLSConfig) config() (*tls.Config, error) {
	if !c.Enabled {
		if c.CAFile != "" || c.CertFile != "" || c.KeyFile != "" || c.ServerName != "" {
			return nil, errors.New("TLS files or a server name are set but TLS is off: enable it, or remove them")
		}
		return nil, nil
	}
	out := &tls.Config{ServerName: c.ServerName, MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read the brokers' CA file: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("the brokers' CA file %s holds no PEM certificate", c.CAFile)
		}
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		return nil, errors.New("a TLS client certificate needs its key: set both files, or neither")
	}
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read the TLS client certificate %s: %w", c.CertFile, err)
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}

// SASLConfig says how to log in to the brokers.
type SASLConfig struct {
	// Mechanism is "plain", "scram-sha-256" or "scram-sha-512", in any case;
	// empty: no login.
	Mechanism string
	Username  string
	Password  Secret
}

// mechanism returns nil where there is no login.
func (c SASLConfig) mechanism() (sasl.Mechanism, error) {
	name := strings.ToLower(c.Mechanism)
	if name == "" {
		if c.Username != "" || c.Password != "" {
			return nil, errors.New("a SASL user or password is set but no mechanism: set plain, scram-sha-256 or scram-sha-512")
		}
		return nil, nil
	}
	if c.Username == "" || c.Password == "" {
		return nil, fmt.Errorf("SASL %s needs a user and a password", name)
	}
	switch name {
	case "plain":
		return plain.Mechanism{Username: c.Username, Password: c.Password.Reveal()}, nil
	case "scram-sha-256":
		return scram.Mechanism(scram.SHA256, c.Username, c.Password.Reveal())
	case "scram-sha-512":
		return scram.Mechanism(scram.SHA512, c.Username, c.Password.Reveal())
	}
	return nil, fmt.Errorf("SASL mechanism %q is not known: want plain, scram-sha-256 or scram-sha-512", c.Mechanism)
}
