package ingest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/ingest/broker"
	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/warehouse/warehousetest"
)

// authority signs certificates for a test.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.key = a.newKey()
	a.cert = a.sign(template, template, a.key)
	a.write("ca.pem", "CERTIFICATE", a.cert.Raw)
	return a
}

func (a *authority) newKey() *ecdsa.PrivateKey {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	return key
}

func (a *authority) sign(template, parent *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert
}

func (a *authority) write(name, kind string, der []byte) string {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

// issue makes a certificate with its key and returns their files.
func (a *authority) issue(name string) (certFile, keyFile string) {
	a.t.Helper()
	key := a.newKey()
	cert := a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, key)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.write(name+".pem", "CERTIFICATE", cert.Raw), a.write(name+".key", "PRIVATE KEY", der)
}

func TestLoginWithTLS(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	certFile, keyFile := a.issue("broker.test")
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	clientCert, clientKey := a.issue("client.test")
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	const password = "correct horse battery staple"
	e := startEmbedded(t, func(cfg *broker.Config) {
		cfg.TLS = &tls.Config{
			Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots,
		}
		cfg.Users = []broker.User{
			{Mechanism: "PLAIN", Name: "paula", Password: password},
			{Mechanism: "SCRAM-SHA-256", Name: "sara", Password: password},
			{Mechanism: "SCRAM-SHA-512", Name: "simon", Password: password},
		}
	})
	secured := func(prefix, mechanism, user string, password ingest.Secret) ingest.KafkaConfig {
		return ingest.KafkaConfig{
			Brokers: []string{e.Addr()}, TopicPrefix: prefix,
			TLS: ingest.TLSConfig{
				Enabled: true, CAFile: filepath.Join(a.dir, "ca.pem"), ServerName: "broker.test",
				CertFile: clientCert, KeyFile: clientKey,
			},
			SASL: ingest.SASLConfig{Mechanism: mechanism, Username: user, Password: password},
		}
	}
	// overTLS is a fixture without the test's own clients.
	overTLS := func(t *testing.T, cfg ingest.KafkaConfig) *fixture {
		t.Helper()
		k := connect(t, cfg)
		f := &fixture{
			t: t, broker: e, kafka: k, producer: ingest.NewProducer(k), db: warehousetest.New(t),
			log: &logBuffer{}, read: k.Topic(event.TopicRead),
		}
		t.Cleanup(func() { f.producer.Close() })
		return f
	}
	for _, login := range []struct{ mechanism, user string }{
		{"plain", "paula"}, {"scram-sha-256", "sara"}, {"SCRAM-SHA-512", "simon"},
	} {
		t.Run(login.mechanism, func(t *testing.T) {
			t.Parallel()
			f := overTLS(t, secured(login.user+".", login.mechanism, login.user, password))
			if err := f.kafka.EnsureTopics(f.ctx(), 2, 1, f.read); err != nil {
				t.Fatal(err)
			}
			f.publish(0, 20)
			c := f.run()
			f.loaded(c)
			f.wantReads(0, 20)
		})
	}
	refused := func(name string, cfg ingest.KafkaConfig, want string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := overTLS(t, cfg)
			c := f.run()
			f.eventually("the refusal is told", func() bool { return f.log.count("trouble, retrying") > 0 })
			if !strings.Contains(f.log.String(), want) {
				t.Errorf("the log does not say %q:\n%s", want, f.log)
			}
			if err := c.Status().Error; err == nil {
				t.Error("the status says nothing")
			}
			if strings.Contains(f.log.String(), "horse") {
				t.Errorf("the password is in the log:\n%s", f.log)
			}
		})
	}
	refused("wrong password", secured("x.", "scram-sha-256", "sara", "wrong horse"), "SASL")
	refused("wrong mechanism", secured("x.", "plain", "sara", password), "SASL")
	strange := secured("x.", "plain", "paula", password)
	strange.TLS.ServerName = "other.test"
	refused("wrong server name", strange, "other.test")
	unknown := secured("x.", "plain", "paula", password)
	unknown.TLS.CAFile = ""
	refused("unknown authority", unknown, "unknown authority")
	plain := secured("x.", "plain", "paula", password)
	plain.TLS = ingest.TLSConfig{}
	refused("no TLS", plain, "TLS")
}
