package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestThePagesByRoleWork runs the commands of each page in docs, in its order,
// in an empty folder. What a page says comes out has to come out.
func TestThePagesByRoleWork(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"analyst", "engineer", "marketer", "support"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			page := newPage(t)
			blocks := readBlocks(t, "../../docs/"+role+".md")
			for i, block := range blocks {
				var want string
				if i+1 < len(blocks) && blocks[i+1].kind == "text" {
					want = blocks[i+1].text
				}
				switch block.kind {
				case "sh":
					output := page.run(block.text)
					for line := range strings.Lines(want) {
						if !says(output, line) {
							t.Fatalf("%s\ndoes not say %q:\n%s", block.text, strings.TrimSpace(line), output)
						}
					}
				case "sh background":
					page.background(block.text, want)
				case "sh setup", "text", "python", "yaml": // the build is done; Python has a test of its own
				default:
					t.Fatalf("a block of kind %q: is it run?", block.kind)
				}
			}
		})
	}
}

// codeBlock is a fenced block of a page.
type codeBlock struct{ kind, text string }

func readBlocks(t *testing.T, name string) (blocks []codeBlock) {
	t.Helper()
	fence := regexp.MustCompile("(?ms)^```([a-z ]+)\n(.*?)^```$")
	for _, m := range fence.FindAllStringSubmatch(readText(t, name), -1) {
		blocks = append(blocks, codeBlock{m[1], m[2]})
	}
	if !slices.ContainsFunc(blocks, func(b codeBlock) bool { return b.kind == "sh" }) {
		t.Fatalf("%s has no commands", name)
	}
	return blocks
}

// says looks for a line as a person does: blanks in a row are one.
func says(output, line string) bool {
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	return strings.Contains(squeeze(output), squeeze(line))
}

// page is a person's terminal in a folder with bin/goodhour and examples.
type page struct {
	t   *testing.T
	ctx context.Context
	dir string
	env []string
	// pages says 127.0.0.1:8080; several run here at once.
	listen string
}

func newPage(t *testing.T) *page {
	t.Helper()
	p := &page{t: t, ctx: deadline(t, 3*time.Minute), dir: t.TempDir(), listen: fixedAddress(t.Context(), t)}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(p.dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"bin/goodhour": self, "examples": examples} {
		if err := os.Symlink(target, filepath.Join(p.dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	p.env = append(os.Environ(), "GOODHOUR_TEST_RUN_MAIN=1", "GOODHOUR_API_LISTEN="+p.listen)
	return p
}

func (p *page) command(ctx context.Context, text string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "bash", "-e", "-c", strings.ReplaceAll(text, "127.0.0.1:8080", p.listen)) //nolint:gosec // our own pages
	cmd.Dir, cmd.Env = p.dir, p.env
	return cmd
}

func (p *page) run(text string) string {
	p.t.Helper()
	output, err := p.command(p.ctx, text).CombinedOutput()
	if err != nil {
		p.t.Fatalf("%s\n%v\n%s", text, err, output)
	}
	return string(output)
}

// background runs a command until the test ends, and waits until it has said
// what the page says.
func (p *page) background(text, want string) {
	p.t.Helper()
	out := newTranscript()
	cmd := p.command(context.WithoutCancel(p.ctx), "exec "+text) // it is ended below
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			p.t.Errorf("%s: %v", text, err)
		}
		if err := cmd.Wait(); err != nil {
			p.t.Errorf("%s: %v\n%s", text, err, out)
		}
	})
	want = strings.ReplaceAll(want, "127.0.0.1:8080", p.listen)
	until(p.ctx, p.t, fmt.Sprintf("%q is said", want), func() bool { return says(fmt.Sprint(out), want) })
}
