package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/sender/policy"
	"github.com/goodhour/goodhour/sender/provider"
	"github.com/goodhour/goodhour/sender/provider/meta"
	"github.com/goodhour/goodhour/warehouse"
)

// configuration: the values were checked before any command began.
func (d *doctor) configuration(context.Context) {
	var problems []string
	for _, err := range strayEnvironment(&d.cfg, os.Environ()) {
		problems = append(problems, err.Error())
	}
	if _, err := openRules(&d.cfg); err != nil {
		problems = append(problems, err.Error())
	}
	if len(problems) > 0 {
		d.say(broken, "configuration", "goodhour config check says the same", "%s", strings.Join(problems, "; "))
		return
	}
	d.say(works, "configuration", "", "no problem in %d settings and %d accounts; goodhour config show prints them",
		len(settableFields(reflect.ValueOf(&d.cfg).Elem(), "")), len(d.cfg.Accounts))
}

// leastFree is the free space under which a disk wants a look: a publication
// copies what the models read, so twice the warehouse has to fit, and a GB.
func leastFree(warehouseBytes int64) int64 { return 2*warehouseBytes + 1<<30 }

func (d *doctor) disk(context.Context) {
	data := d.cfg.Data
	if err := writable(data); errors.Is(err, os.ErrNotExist) {
		d.say(notTried, "disk", "", "there is no data directory %s yet: the first import or serve makes it", data)
		return
	} else if err != nil {
		d.say(broken, "disk", "give goodhour's user the right to write there, or name another with --data", "%v", err)
		return
	}
	used := int64(0)
	if info, err := os.Stat(warehousePath(&d.cfg)); err == nil {
		used = info.Size()
	}
	free, total, err := diskSpace(data)
	switch {
	case err != nil:
		d.say(notTried, "disk", "", "%s can be written to; how much is free is not known on this system", data)
	case free < leastFree(used):
		d.say(doubtful, "disk", "make room, or move the data directory: a publication copies what the models read",
			"%s free of %s where %s lies; the warehouse has %s", gigabytes(free), gigabytes(total), data, gigabytes(used))
	default:
		d.say(works, "disk", "", "%s can be written to; %s free of %s; the warehouse has %s", data, gigabytes(free), gigabytes(total), gigabytes(used))
	}
}

// writable makes a file in a folder and removes it.
func writable(dir string) error {
	if _, err := os.Stat(dir); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".doctor-")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func gigabytes(n int64) string { return fmt.Sprintf("%.1f GB", float64(n)/1e9) }

// kafka asks every leader how far its partitions go.
func (d *doctor) kafka(ctx context.Context) {
	if len(d.cfg.Kafka.Brokers) == 0 {
		d.say(works, "kafka", "", "embedded broker, for evaluation; set kafka.brokers for your own")
		return
	}
	const mend = "check kafka.brokers, kafka.tls, kafka.sasl and the network"
	connection, err := d.cfg.Kafka.connection()
	if err != nil {
		d.say(broken, "kafka", mend, "%v", err)
		return
	}
	k, err := ingest.Connect(connection)
	if err != nil {
		d.say(broken, "kafka", mend, "%v", err)
		return
	}
	defer k.Close()
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	started := d.now()
	ends, err := k.HighWatermarks(ctx, k.EventTopics())
	switch {
	case errors.Is(err, kafka.UnknownTopicOrPartition):
		d.say(doubtful, "kafka", "goodhour serve makes the topics, where it may", "%s answers; topics are missing: %v", strings.Join(d.cfg.Kafka.Brokers, ", "), err)
	case err != nil:
		d.say(broken, "kafka", mend, "%s: %v", strings.Join(d.cfg.Kafka.Brokers, ", "), err)
	default:
		records := int64(0)
		for _, end := range ends {
			records += end
		}
		d.say(works, "kafka", "", "%s: %d topics, %d partitions, all with a leader, %d records so far, answered in %d ms",
			strings.Join(d.cfg.Kafka.Brokers, ", "), len(k.EventTopics()), len(ends), records, d.now().Sub(started).Milliseconds())
	}
}

// loading asks the running serve for its positions and dead letters.
func (d *doctor) loading(ctx context.Context) {
	if d.serve == nil {
		d.say(notTried, "loading", "", "no serve runs")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	partitions, err := d.serve.Offsets(ctx)
	if err != nil {
		d.say(broken, "loading", "goodhour offsets list says more", "%v", err)
		return
	}
	var stopped, troubled []string
	lag := int64(0)
	for _, p := range partitions {
		name := fmt.Sprintf("%s/%d", p.Topic, p.Partition)
		lag += p.Lag
		switch {
		case p.Break != "":
			stopped = append(stopped, name+": "+p.Break)
		case p.Error != "":
			troubled = append(troubled, name+": "+p.Error)
		}
	}
	switch {
	case len(stopped) > 0:
		d.say(broken, "loading", "goodhour offsets accept TOPIC/PARTITION, when you know what is gone",
			"%d partitions stand still: %s", len(stopped), strings.Join(stopped, "; "))
	case len(troubled) > 0:
		d.say(broken, "loading", "it goes on by itself once the broker does", "%d partitions: %s", len(troubled), strings.Join(troubled, "; "))
	default:
		d.say(works, "loading", "", "%d partitions, %d records behind", len(partitions), lag)
	}
	letters, err := d.serve.DeadLetters(ctx, warehouse.DeadLetterFilter{Unreplayed: true, Limit: listedDeadLetters})
	switch {
	case err != nil:
		d.say(broken, "dead letters", "goodhour deadletter list says more", "%v", err)
	case len(letters) > 0:
		d.say(doubtful, "dead letters", "goodhour deadletter list; replay ID once the cause is mended", "%s records could not become events", atLeast(len(letters), listedDeadLetters))
	default:
		d.say(works, "dead letters", "", "none")
	}
}

const listedDeadLetters = 1000

// atLeast is the length of a list that was asked for up to a limit.
func atLeast(n, limit int) string {
	if n >= limit {
		return fmt.Sprintf("%d or more", n)
	}
	return strconv.Itoa(n)
}

// published looks at the file that everybody reads, and at the run that made it.
func (d *doctor) published(ctx context.Context) {
	if _, err := os.Stat(warehouse.PublishedLink(d.cfg.Data)); errors.Is(err, os.ErrNotExist) {
		d.say(notTried, "published", "goodhour import FILE, or goodhour publish, makes it", "nothing is published in %s yet", d.cfg.Data)
		return
	}
	err := withPublished(ctx, d.cli, func(reader *warehouse.Reader) error {
		info := reader.Info()
		age := d.now().Sub(info.PublishedAt).Round(time.Second)
		table, err := reader.Table(ctx, "select count(*) from marts.customers")
		if err != nil {
			return err
		}
		d.say(works, "published", "", "%s: %v customers, as of %s, published %s ago",
			filepath.Base(filepath.Dir(reader.Path())), table.Rows[0][0], info.AsOf.UTC().Format("2006-01-02 15:04"), age)
		return nil
	})
	if err != nil {
		d.say(broken, "published", "goodhour publish makes it anew", "%v", err)
	}
}

// accounts asks each account's provider, and ourselves as the provider would.
func (d *doctor) accounts(ctx context.Context) {
	if len(d.cfg.Accounts) == 0 {
		d.say(notTried, "accounts", "goodhour sandbox writes one to rehearse with; README says how to send through Meta", "none is configured: nothing can be sent")
		return
	}
	for i := range d.cfg.Accounts {
		config := &d.cfg.Accounts[i]
		account, err := config.connect(d.env, d.log)
		if err != nil {
			d.say(broken, "account "+config.Name, "put the secrets where the configuration looks for them", "%v", err)
			continue
		}
		d.templates(ctx, config, account)
		d.clock(ctx, config)
		d.webhook(ctx, config)
	}
}

// templates shows that the credentials are good: only they let it list.
func (d *doctor) templates(ctx context.Context, config *AccountConfig, account provider.Provider) {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	list, err := account.Templates(ctx)
	if err != nil {
		d.say(broken, "account "+config.Name, "check token, account_id and base_url of the account", "%v", err)
		return
	}
	states := make(map[policy.TemplateStatus]int)
	sendable := 0
	for i := range list {
		states[list[i].Status]++
		if list[i].Status == policy.TemplateApproved && list[i].Unsupported() == "" {
			sendable++
		}
	}
	var counts []string
	for state, n := range states {
		counts = append(counts, fmt.Sprintf("%d %s", n, state))
	}
	slices.Sort(counts)
	d.say(works, "account "+config.Name, "", "mode %s: the provider takes the token and lists %d templates", config.Mode, len(list))
	state, mend := works, ""
	if sendable == 0 {
		state, mend = doubtful, "submit a template at the provider, or wait for its approval: a campaign needs one"
	}
	d.say(state, "templates", mend, "%d can be sent; %s", sendable, strings.Join(counts, ", "))
}

// clockSkew is how far our clock may be from the provider's before it wants a
// look: events that are a day ahead are refused, hours of sending are local.
const clockSkew = 10 * time.Second

// clock compares ours with the provider's, by its answer's Date, which counts
// whole seconds.
func (d *doctor) clock(ctx context.Context, config *AccountConfig) {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	base := cmp.Or(config.BaseURL, meta.DefaultBaseURL)
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, base, http.NoBody)
	if err != nil {
		d.say(broken, "clock", "check base_url of the account "+config.Name, "%v", err)
		return
	}
	before := d.now()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		d.say(notTried, "clock", "", "%s did not answer: %v", base, err)
		return
	}
	_ = response.Body.Close()
	middle := before.Add(d.now().Sub(before) / 2)
	theirs, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		d.say(notTried, "clock", "", "%s says no time", base)
		return
	}
	// A whole second is cut off from theirs: half of it on average.
	skew := middle.Sub(theirs.Add(500 * time.Millisecond)).Round(time.Second)
	if skew.Abs() > clockSkew {
		d.say(doubtful, "clock", "set this machine's clock by NTP", "ours is %s off %s's", skew, base)
		return
	}
	d.say(works, "clock", "", "within %s of %s's", clockSkew, base)
}

// webhook asks ourselves the provider's question, at the address that it is
// told: whether the way in from outside is open shows only there.
func (d *doctor) webhook(ctx context.Context, config *AccountConfig) {
	if d.serve == nil {
		d.say(notTried, "webhook", "", "no serve runs")
		return
	}
	base := d.cfg.API.PublicURL
	if base == "" {
		base = "http://" + d.cfg.API.Listen
	}
	address := base + "/webhooks/" + config.Provider
	verify, err := readSecret(config.VerifyTokenFile, d.env, config.secretName(secretVerify), secretVerify+"_file")
	if err != nil {
		d.say(broken, "webhook", "put the secret where the configuration looks for it", "%v", err)
		return
	}
	challenge := rand.Text()
	query := url.Values{"hub.mode": {"subscribe"}, "hub.verify_token": {verify.Reveal()}, "hub.challenge": {challenge}}
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	started := d.now()
	status, body, err := get(ctx, address+"?"+query.Encode())
	switch {
	case err != nil:
		d.say(broken, "webhook", "check api.public_url, the proxy in front and the firewall", "%s does not answer: %v", address, err)
	case body != challenge:
		d.say(broken, "webhook", "another server answers there, or serve runs with another verify_token: start it again", "%s answers %d to the provider's question", address, status)
	case d.cfg.API.PublicURL == "" && !strings.HasPrefix(config.BaseURL, "http://"):
		d.say(doubtful, "webhook", "set api.public_url to the address that the provider is to call", "%s answers, but a provider cannot call it", address)
	default:
		d.say(works, "webhook", "", "%s answers the provider's question, in %d ms from here", address, d.now().Sub(started).Milliseconds())
	}
}

// get fetches a small answer. Its error does not quote the URL, which holds a
// secret.
func get(ctx context.Context, address string) (status int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return 0, "", errors.New("the address cannot be called")
	}
	response, err := http.DefaultClient.Do(request)
	if failure, ok := errors.AsType[*url.Error](err); ok {
		return 0, "", failure.Err
	}
	if err != nil {
		return 0, "", err
	}
	b, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	return response.StatusCode, string(b), errors.Join(err, response.Body.Close())
}
