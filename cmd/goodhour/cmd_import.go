package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/goodhour/goodhour/ingest"
	"github.com/goodhour/goodhour/ingest/event"
	"github.com/goodhour/goodhour/ingest/fileimport"
	"github.com/goodhour/goodhour/warehouse"
)

// importFlags are the options of import before they are checked.
type importFlags struct {
	options fileimport.Options
	zone    string
	values  repeated
	columns map[string]*string // by field
}

func runImport(ctx context.Context, c *cli, args []string) error {
	kinds := make([]string, 0, 4)
	for _, k := range fileimport.Kinds() {
		kinds = append(kinds, string(k))
	}
	if len(args) == 0 || !slices.Contains(kinds, args[0]) {
		return usagef("say what the files hold: %s", strings.Join(kinds, ", "))
	}
	kind := fileimport.Kind(args[0])
	flags, f := newImportFlags(c, "import "+string(kind), kind)
	flags.BoolVar(&f.options.DryRun, "dry-run", false, "report what would happen and publish nothing")
	files, err := parseMixed(flags, args[1:])
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return usagef("name at least one file")
	}
	if err := f.complete(c, flags); err != nil {
		return err
	}
	if f.options.DryRun {
		report, err := fileimport.Run(ctx, files, f.options, nil)
		return f.finish(c, report, err)
	}
	if err := refuseDemo(&c.cfg); err != nil {
		return err
	}
	return withOperator(ctx, c, func(o operator) error {
		report, err := importThrough(ctx, c, o, files, f.options)
		if err = f.finish(c, report, err); err != nil || c.json {
			return err
		}
		return printReach(ctx, c)
	})
}

// refuseDemo keeps what is real out of the demo's invented world.
func refuseDemo(cfg *Config) error {
	b, err := os.ReadFile(worldPath(cfg))
	if err == nil && strings.TrimSpace(string(b)) == worldDemo {
		return fmt.Errorf("the data directory %s holds the demo's invented world: import into another with --data", cfg.Data)
	}
	return nil
}

// printReach says how many of all customers can be reached and why not: what
// these files and everything loaded before come to together.
func printReach(ctx context.Context, c *cli) error {
	return withPublished(ctx, c, func(reader *warehouse.Reader) error {
		table, err := reader.Table(ctx, `
			select coalesce(unreachable_reason, 'reachable') as reason, count(*) as customers
			from marts.customers group by all order by customers desc, reason`)
		if err != nil || len(table.Rows) == 0 {
			return err
		}
		fmt.Fprint(c.stdout, "  in all     customers for marketing, with everything loaded so far:")
		for i, row := range table.Rows {
			separator := ","
			if i == 0 {
				separator = ""
			}
			fmt.Fprintf(c.stdout, "%s %v %v", separator, row[1], row[0])
		}
		fmt.Fprintln(c.stdout)
		return printDoubts(ctx, c, reader)
	})
}

// importDoubts are what may make a figure other than a person expects, each
// with how many there are. They can only be seen over everything loaded.
const importDoubts = `
	select 'refunds are of orders that are not known: their money is not taken off anybody''s spend' as doubt, count(*) as n
	from staging.refunds
	anti join staging.orders using (shop, order_id)
	union all
	select 'order ids are told of for several customers and count once each, for the last one told of: ' ||
		'where your shops number alike, set models.settings.order_shop_pattern', count(*)
	from (
		select order_id
		from staging.order_completed
		group by order_id
		having count(distinct customer_id) > 1
	)
	where (select order_shop_pattern from staging.settings) = ''`

func printDoubts(ctx context.Context, c *cli, reader *warehouse.Reader) error {
	table, err := reader.Table(ctx, importDoubts)
	if err != nil {
		return err
	}
	for _, row := range table.Rows {
		if row[1] != int64(0) {
			fmt.Fprintf(c.stdout, "  warning    in all, %v %v\n", row[1], row[0])
		}
	}
	return nil
}

// newImportFlags are the flags by which a command is told how to read files.
func newImportFlags(c *cli, command string, kind fileimport.Kind) (*flag.FlagSet, *importFlags) {
	f := &importFlags{columns: make(map[string]*string)}
	o := &f.options
	o.Kind, o.Now = kind, c.now().UTC()
	flags := newFlags(c, command)
	flags.StringVar(&o.Source, "source", "", "`NAME` of the system that the files come from: part of the events' ids (default: "+string(kind)+")")
	flags.StringVar(&o.Select, "select", "", "one `SQL` select over the view file whose columns are the fields below")
	flags.StringVar(&o.Preset, "preset", "", "shop whose order export the files are: "+strings.Join(fileimport.Presets(), ", ")+"; none for a bare table (default: recognised by the headings)")
	flags.StringVar(&o.TimeFormat, "time-format", "", "`FORMAT` of times as for strptime (%Y%m%d), or unix, unix_ms, excel")
	flags.StringVar(&f.zone, "zone", "", "IANA `ZONE` of times that do not say theirs (default UTC)")
	flags.StringVar(&o.Decimal, "decimal", "", "point or comma in amounts (default: recognised)")
	flags.StringVar(&o.PhoneRegion, "phone-region", "", "`COUNTRY` (BR) of phone numbers without a country code")
	flags.StringVar(&o.KeyNamespace, "key-namespace", "", "`NAMESPACE` of the customer column: phone, email or external:NAME")
	flags.StringVar(&o.Delimiter, "delimiter", "", "one character, tab, or blanks (default: recognised)")
	flags.StringVar(&o.Encoding, "encoding", "", "`NAME` of the files' encoding (default UTF-8, or by the byte order mark)")
	flags.IntVar(&o.SkipLines, "skip-lines", 0, "`N` lines to pass over before the headings")
	flags.BoolVar(&o.NoHeader, "no-header", false, "the first line is data; the columns are column1, column2, ...")
	flags.Var(&f.values, "value", "`FIELD=VALUE` for every row, where there is no column; may be repeated")
	for _, field := range fileimport.Fields(kind) {
		f.columns[field.Name] = flags.String(strings.ReplaceAll(field.Name, "_", "-"), "",
			"`COLUMN` with "+field.Doc+"; "+fileimport.NoColumn+" for none (default: guessed from the headings)")
	}
	return flags, f
}

func (f *importFlags) complete(c *cli, flags *flag.FlagSet) error {
	o := &f.options
	o.Columns = make(map[string]string)
	flags.Visit(func(set *flag.Flag) {
		if column, ok := f.columns[strings.ReplaceAll(set.Name, "-", "_")]; ok {
			o.Columns[strings.ReplaceAll(set.Name, "-", "_")] = *column
		}
	})
	o.Values = make(map[string]string)
	for _, v := range f.values {
		field, value, ok := strings.Cut(v, "=")
		if !ok {
			return usagef("--value %s: want FIELD=VALUE", field)
		}
		o.Values[field] = value
	}
	if f.zone != "" {
		zone, err := time.LoadLocation(f.zone)
		if err != nil {
			return usagef("--zone %s: want an IANA name such as Europe/Berlin", f.zone)
		}
		o.TimeZone = zone
	}
	if isTerminal(c.stderr) {
		o.Progress = progressLine(c.stderr)
	}
	return nil
}

// importThrough brings the files' events into the warehouse and runs the models.
func importThrough(ctx context.Context, c *cli, o operator, files []string, options fileimport.Options) (*fileimport.Report, error) {
	report, err := importEvents(ctx, c, o, files, options)
	if err == nil {
		_, err = o.Publish(ctx, publishRequest{})
	}
	return report, err
}

// importEvents publishes the files' events to the topics and waits until they
// are loaded.
func importEvents(ctx context.Context, c *cli, o operator, files []string, options fileimport.Options) (*fileimport.Report, error) {
	// Staged rows are personal: they lie where the data lies, and what a kill
	// leaves is removed when the data directory is opened again.
	options.Limits.TempDir = tempPath(&c.cfg)
	if err := os.MkdirAll(options.Limits.TempDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the import's temporary folder: %w", err)
	}
	info, err := o.Log(ctx)
	if err != nil {
		return nil, err
	}
	connection, err := c.cfg.Kafka.connection()
	if err != nil {
		return nil, err
	}
	connection.Brokers = info.Brokers
	kafka, err := ingest.Connect(connection)
	if err != nil {
		return nil, err
	}
	defer kafka.Close()
	producer := ingest.NewProducer(kafka)
	report, err := fileimport.Run(ctx, files, options, func(ctx context.Context, events []event.Event) error {
		return producer.Publish(ctx, events)
	})
	if err = errors.Join(err, producer.Close()); err != nil {
		return report, err
	}
	return report, o.WaitForEnd(ctx)
}

// finish prints the report, which is there also beside an error.
func (f *importFlags) finish(c *cli, report *fileimport.Report, err error) error {
	if refusal, ok := errors.AsType[*fileimport.Refusal](err); ok {
		return usageError{refusal.Error()}
	}
	if report != nil {
		if c.json {
			err = errors.Join(printJSON(c.stdout, report), err)
		} else {
			err = errors.Join(report.Write(c.stdout), err)
		}
		if err == nil && report.Rows > 0 && report.Good == 0 {
			return errors.New("no row could be used; the reasons are above")
		}
	}
	return err
}

// progressLine shows progress on one line that is written over.
func progressLine(w io.Writer) func(fileimport.Progress) {
	phase := ""
	return func(p fileimport.Progress) {
		if p.Phase != phase {
			phase = p.Phase
			fmt.Fprintln(w)
		}
		percent := int64(100)
		if p.Total > 0 {
			percent = 100 * p.Done / p.Total
		}
		fmt.Fprintf(w, "\r%s %d %%", p.Phase, percent)
		if p.Done >= p.Total {
			fmt.Fprint(w, "\r\033[K")
		}
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
