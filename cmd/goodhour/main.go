// Command goodhour is the whole product in one binary: it loads the topics
// into DuckDB, builds the models, sends campaigns and serves the API.
//
// This folder holds the flags, the configuration, one file per command, and
// the one composition root (app.go). Nothing imports it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"
)

// version is set by the Makefile; go install leaves it to the module's own.
var version = ""

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.LookupEnv, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Exit codes: 0 done, 1 it did not work, 2 the call was wrong.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// cli is what every command is given.
type cli struct {
	cfg    Config
	env    func(string) (string, bool)
	stdin  io.Reader
	stdout io.Writer // data
	stderr io.Writer // talk
	log    *slog.Logger
	json   bool // print data as JSON
	now    func() time.Time
}

// command is one verb. Commands with subcommands dispatch on args themselves.
type command struct {
	name    string
	args    string // as shown in the help
	summary string
	more    string // where the flags are shown; empty where args says all
	run     func(ctx context.Context, c *cli, args []string) error
}

// usageError is a wrong call: it exits with 2.
type usageError struct{ msg string }

func (e usageError) Error() string { return e.msg }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

func commands() []command {
	return []command{
		{"try", "[flags] FILE...", "a first look at a file of orders: a report to forward and the dashboard; nothing is sent or kept", "", runTry},
		{"serve", "", "run everything in one process: loading, models, sending, API, dashboard", "", runServe},
		{"import", "orders|customers|consents|messages FILE...", "turn files (CSV, JSON, Parquet) into events", "\ngoodhour import orders -h shows the flags.\n", runImport},
		{"publish", "[--as-of TIME]", "run the models on what is loaded and publish the file that everybody reads", "", runPublish},
		{"sql", "[--format F] [--out FILE] QUERY", "a select on the published file", "", runSQL},
		{"export", "[--format F] [--out FILE] [--pii] RELATION", "a whole relation of the published file; without a name, the list", "", runExport},
		{"models", "run|test DIR|lint|graph", "the SQL models and your own beside them", "", runModels},
		{"campaign", strings.Join(campaignVerbNames(), "|") + " ...", "plan a campaign, approve it, watch it, ask why", campaignHelp(), runCampaign},
		{"template", "sync ACCOUNT|list ACCOUNT", "the templates that an account has at its provider", templateHelp, runTemplate},
		{"sandbox", "[--listen ADDRESS] [--dir DIR]", "a WhatsApp of your own on this machine, to rehearse on: nothing leaves it", sandboxHelp, runSandbox},
		{"demo", "[--check] [--no-serve]", "the whole loop on an invented world, in data-demo", "", runDemo},
		{"deadletter", "list|show ID|replay ID...", "records that could not become events", "", runDeadLetter},
		{"offsets", "list|accept TOPIC/PARTITION", "how far each partition is loaded; go on after a break in a log", "", runOffsets},
		{"key", "create NAME [--scopes S]|list|revoke ID", "keys of the API", "", runKey},
		{"config", "init [FILE]|show|check", "a configuration to start from; the one in force", "", runConfig},
		{"doctor", "", "what works, what does not, and what to do about it; changes nothing", "", runDoctor},
		{"version", "", "print the version", "", runVersion},
	}
}

func run(ctx context.Context, args []string, env func(string) (string, bool), stdin io.Reader, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("goodhour", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	configFile := flags.String("config", "", "YAML configuration `FILE` (default goodhour.yaml here, if there is one)")
	data := flags.String("data", "", "data `DIR`ectory (default data)")
	asJSON := flags.Bool("json", false, "print data as JSON")
	var sets repeated
	flags.Var(&sets, "set", "`KEY=VALUE`: set one setting, such as load.batch_age=1s; may be repeated")

	// Global flags may stand before or after the command's name.
	name, rest, err := parseGlobal(flags, args)
	if err != nil {
		if errors.Is(err, flag.ErrHelp) {
			printHelp(stdout, flags)
			return exitOK
		}
		fmt.Fprintf(stderr, "goodhour: %v\nSee goodhour help.\n", err)
		return exitUsage
	}
	if name == "help" && len(rest) > 0 {
		name, rest = rest[0], []string{"-h"}
	}
	if name == "" || name == "help" {
		printHelp(stdout, flags)
		if name == "" {
			return exitUsage
		}
		return exitOK
	}
	cmd, ok := findCommand(name)
	if !ok {
		fmt.Fprintf(stderr, "goodhour: no command %q.\nSee goodhour help.\n", name)
		return exitUsage
	}
	if len(rest) > 0 && slices.Contains([]string{"-h", "-help", "--help", "help"}, rest[0]) {
		return cmd.help(ctx, stdout)
	}
	if *data != "" {
		sets = append(sets, "data="+*data)
	}
	cfg, err := loadConfig(*configFile, env, sets)
	if err != nil {
		fmt.Fprintf(stderr, "goodhour: the configuration has a problem:\n%v\n", err)
		return exitUsage
	}
	logging := cfg.Log
	if name != "serve" && logging.Level == "info" {
		// A command says itself what it did; its log is for trouble.
		logging.Level = "warn"
	}
	c := &cli{
		cfg: cfg, env: env, stdin: stdin, stdout: stdout, stderr: stderr,
		log: newLogger(stderr, logging), json: *asJSON, now: time.Now,
	}
	if name != "config" && name != "doctor" { // which tell of them themselves
		for _, stray := range strayEnvironment(&cfg, os.Environ()) {
			fmt.Fprintf(stderr, "goodhour %s: %v.\n", cmd.name, stray)
		}
	}
	err = cmd.run(ctx, c, rest)
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "goodhour %s: %v\nUsage: goodhour %s %s\nSee goodhour %s -h.\n", cmd.name, err, cmd.name, cmd.args, cmd.name)
		return exitUsage
	default:
		fmt.Fprintf(stderr, "goodhour %s: %v\n", cmd.name, err)
		return exitError
	}
}

// parseGlobal takes the global flags out of args wherever they stand before
// the command's own arguments, and returns the command's name and the rest.
func parseGlobal(flags *flag.FlagSet, args []string) (name string, rest []string, err error) {
	if err := flags.Parse(args); err != nil {
		return "", nil, err
	}
	args = flags.Args()
	if len(args) == 0 {
		return "", nil, nil
	}
	name, args = args[0], args[1:]
	for len(args) > 0 {
		arg := args[0]
		if arg == "--" {
			return name, append(rest, args...), nil
		}
		key := strings.TrimLeft(arg, "-")
		key, _, hasValue := strings.Cut(key, "=")
		known := flags.Lookup(key)
		if arg == key || !strings.HasPrefix(arg, "-") || known == nil {
			rest, args = append(rest, arg), args[1:]
			continue
		}
		n := 1
		if b, isBool := known.Value.(interface{ IsBoolFlag() bool }); !hasValue && (!isBool || !b.IsBoolFlag()) {
			n = min(2, len(args))
		}
		if err := flags.Parse(args[:n]); err != nil {
			return "", nil, err
		}
		args = args[n:]
	}
	return name, rest, nil
}

// help prints what a command is for, and its flags if it has any.
func (cmd *command) help(ctx context.Context, stdout io.Writer) int {
	fmt.Fprintf(stdout, "goodhour %s: %s\n\nUsage: goodhour %s %s\n%s", cmd.name, cmd.summary, cmd.name, cmd.args, cmd.more)
	if strings.HasPrefix(cmd.args, "[") {
		// Asked for help, a command with flags prints them and does nothing else.
		c := &cli{stdout: stdout, stderr: stdout, now: time.Now}
		if err := cmd.run(ctx, c, []string{"-h"}); !errors.Is(err, flag.ErrHelp) {
			return exitError
		}
	}
	return exitOK
}

func findCommand(name string) (command, bool) {
	for _, c := range commands() {
		if c.name == name {
			return c, true
		}
	}
	return command{}, false
}

func printHelp(w io.Writer, flags *flag.FlagSet) {
	fmt.Fprint(w, "goodhour: whom to write to on WhatsApp, when, and did it pay.\n\nUsage: goodhour COMMAND [flags]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-11s %s\n", c.name, c.summary)
		if c.args != "" {
			fmt.Fprintf(w, "  %-11s   %s\n", "", c.args)
		}
	}
	fmt.Fprint(w, "\ngoodhour COMMAND -h says more of a command.\n\nFlags of every command:\n")
	flags.SetOutput(w)
	flags.PrintDefaults()
	fmt.Fprint(w, "\nEvery setting can also be given by the environment: GOODHOUR_KAFKA_BROKERS for kafka.brokers.\n"+
		"goodhour config show prints them all.\n")
}

type repeated []string

func (r *repeated) String() string     { return strings.Join(*r, ",") }
func (r *repeated) Set(s string) error { *r = append(*r, s); return nil }

func newLogger(w io.Writer, cfg LogConfig) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.Level)) // checked by Config.problems
	opts := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

func runVersion(_ context.Context, c *cli, _ []string) error {
	_, err := fmt.Fprintln(c.stdout, buildVersion())
	return err
}

func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "dev"
}
