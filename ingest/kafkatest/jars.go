package kafkatest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Version of Apache Kafka.
const Version = "4.1.1"

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>goodhour</groupId><artifactId>kafkatest</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>` + Version + `</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId><version>2.24.3</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.24.3</version></dependency>
  </dependencies>
</project>
`

// Jars returns the folder with Kafka's jars: $GOODHOUR_KAFKA_LIBS, else one in
// the user's cache. When it is empty, Maven fills it.
func Jars(tb testing.TB) string {
	tb.Helper()
	dir := os.Getenv("GOODHOUR_KAFKA_LIBS")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			tb.Fatalf("find a folder for Kafka's jars: %v; set GOODHOUR_KAFKA_LIBS", err)
		}
		dir = filepath.Join(cache, "goodhour", "kafka-"+Version)
	}
	if complete(dir) {
		return dir
	}
	if err := fetchJars(tb, dir); err != nil {
		tb.Fatalf("get Apache Kafka %s into %s: %v", Version, dir, err)
	}
	return dir
}

func complete(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "kafka_2.13-"+Version+".jar"))
	return err == nil
}

// fetchJars fills a folder beside dir and renames it, so that a run that is cut
// off, or another test at the same time, leaves no half of it.
func fetchJars(tb testing.TB, dir string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return errors.New("mvn is not installed (Debian: apt-get install maven openjdk-17-jre-headless)")
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	//nolint:usetesting // beside dir: a rename does not cross file systems
	work, err := os.MkdirTemp(filepath.Dir(dir), "kafka-jars-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.WriteFile(filepath.Join(work, "pom.xml"), []byte(pom), 0o644); err != nil {
		return err
	}
	cmd := exec.CommandContext(tb.Context(), mvn, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=libs")
	cmd.Dir = work
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mvn: %w\n%s", err, out)
	}
	_ = os.Remove(dir) // an empty folder that was made by hand
	if err := os.Rename(filepath.Join(work, "libs"), dir); err != nil && !complete(dir) {
		return err
	}
	return nil
}
