package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what GET /metrics shows. Every label has a closed set of values:
// route is a path of the table in routes.go or "none", method one of that
// table, code the status or "cut", check a Check's name, topic and partition
// those of the configured topics, provider a configured one, and outcome
// accepted, accepted_in_part (the rest is a dead letter) or a problem's name.
type metrics struct {
	registry       *prometheus.Registry
	requests       *prometheus.CounterVec
	seconds        *prometheus.HistogramVec
	webhooks       *prometheus.CounterVec
	webhookSeconds *prometheus.HistogramVec
	webhookEvents  *prometheus.CounterVec
}

// Outcomes of a webhook that is answered with 200.
const (
	webhookAccepted = "accepted"
	webhookInPart   = "accepted_in_part"
)

func newMetrics(s *Server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goodhour_http_requests_total",
			Help: "Requests answered, by route, method and status; code cut: the answer was cut off.",
		}, []string{"route", "method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "goodhour_http_request_duration_seconds",
			Help:    "Time from the request's headers to the end of the answer.",
			Buckets: []float64{.001, .005, .025, .1, .5, 2, 10, 60},
		}, []string{"route", "method"}),
		webhooks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goodhour_webhooks_total",
			Help: "Webhooks answered, by provider and outcome; webhook-signature: not the provider's.",
		}, []string{"provider", "outcome"}),
		webhookSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "goodhour_webhook_duration_seconds",
			Help:    "Time from a webhook's headers until its events were in the log, or it was refused.",
			Buckets: []float64{.002, .005, .01, .025, .05, .1, .25, 1, 5, 15},
		}, []string{"provider"}),
		webhookEvents: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "goodhour_webhook_events_total",
			Help: "Events published from webhooks, repeats included.",
		}, []string{"provider"}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.webhooks, m.webhookSeconds, m.webhookEvents, &statusCollector{s},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) observe(rt *route, status int, took time.Duration, cut bool) {
	path, method := "none", "none"
	if rt != nil {
		path, method = rt.path, rt.method
	}
	code := strconv.Itoa(status)
	if cut {
		code = "cut"
	}
	m.requests.WithLabelValues(path, method, code).Inc()
	m.seconds.WithLabelValues(path, method).Observe(took.Seconds())
}

func (m *metrics) webhook(provider, outcome string, took time.Duration) {
	m.webhooks.WithLabelValues(provider, outcome).Inc()
	m.webhookSeconds.WithLabelValues(provider).Observe(took.Seconds())
}

func (s *Server) getMetrics(w http.ResponseWriter, r *http.Request) error {
	promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{DisableCompression: true}).ServeHTTP(w, r)
	return nil
}

// statusCollector asks the server's status at each scrape.
type statusCollector struct{ server *Server }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe sends nothing: the collector is an unchecked one, because which
// partitions there are is known at the scrape only.
func (*statusCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *statusCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), statusTimeout)
	defer cancel()
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	flag := map[bool]float64{true: 1}

	status := c.server.currentStatus(ctx)
	ready := describe("goodhour_ready", "1 where the check of /readyz passes.", "check")
	for _, check := range status.Checks {
		gauge(ready, flag[check.OK], check.Name)
	}
	next := describe("goodhour_ingest_next_offset", "Offset that is loaded next.", "topic", "partition")
	lag := describe("goodhour_ingest_lag_records", "Records in the log that are not loaded yet.", "topic", "partition")
	stopped := describe("goodhour_ingest_stopped", "1 where the partition stopped and waits for an operator.", "topic", "partition")
	for _, p := range status.Partitions {
		labels := []string{p.Topic, strconv.Itoa(int(p.Partition))}
		gauge(next, float64(max(0, p.NextOffset)), labels...)
		gauge(stopped, flag[p.Stopped != ""], labels...)
		if behind := p.behind(); behind >= 0 {
			gauge(lag, float64(behind), labels...)
		}
	}
	if published, ok := c.server.publication(); ok {
		gauge(describe("goodhour_published_as_of_timestamp_seconds", "As-of time of the published file."),
			float64(published.asOf.UnixMilli())/1000)
		gauge(describe("goodhour_published_timestamp_seconds", "When the published file was published."),
			float64(published.at.UnixMilli())/1000)
	}
}
