// Package kafkatest runs a real Apache Kafka for tests: the published jars
// under Java 17, one node in KRaft mode, on free ports of the loopback
// interface, with storage in the test's own directory. Only tests import it,
// those with the build tag kafka: they need java and, once, mvn, and fail
// where either is missing.
package kafkatest
