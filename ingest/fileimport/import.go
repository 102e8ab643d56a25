package fileimport

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Run imports files: it finds out how they are written and what their columns
// are, reads them, checks every row, and only then hands the events to publish.
// Files may be patterns.
//
// The report is returned whenever the rows were read, also beside an error of
// publishing. A *Refusal means that the call has to change and that nothing
// was published.
func Run(ctx context.Context, files []string, options Options, publish Publish) (report *Report, err error) {
	o := &options
	if err := o.complete(); err != nil {
		return nil, err
	}
	inputs, err := resolve(files)
	if err != nil {
		return nil, err
	}
	for _, in := range inputs {
		if err := in.examine(o); err != nil {
			return nil, err
		}
	}
	s, err := openStage(ctx, o.Limits, inputs)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closeErr := s.close(); closeErr != nil {
			err = errors.Join(err, fmt.Errorf("remove the import's temporary folder: %w", closeErr))
		}
	}()
	run := &run{options: o, inputs: inputs, stage: s, rejections: newRejections(o, inputs)}
	return run.run(ctx, publish)
}

// run is one import.
type run struct {
	options    *Options
	inputs     []*input
	stage      *stage
	rejections *rejections
	mapping    *mapping
	total      int64 // rows staged
	report     *Report

	preset        *preset // of a shop's export
	lines, orders int64   // of the export
}

func (r *run) run(ctx context.Context, publish Publish) (*Report, error) {
	if err := r.load(ctx); err != nil {
		return nil, err
	}
	var err error
	if r.total, err = r.stage.count(ctx); err != nil {
		return nil, err
	}
	b := newBuilder(r.options, r.mapping)
	b.preset = r.preset != nil
	b.clock.serials = slices.ContainsFunc(r.inputs, func(in *input) bool { return in.format == formatWorkbook })
	if err := r.decide(ctx, b); err != nil {
		return nil, err
	}
	unzoned, err := r.survey(ctx, b)
	if err != nil {
		return nil, err
	}
	if err := r.summarise(ctx, b, unzoned); err != nil {
		return nil, err
	}
	if r.options.DryRun {
		return r.report, r.takeSamples(ctx, b)
	}
	return r.report, r.publish(ctx, b, publish)
}

// progress returns a function that reports a phase.
func (r *run) progress(phase string, total int64) func(done int64) {
	return func(done int64) {
		if r.options.Progress != nil {
			r.options.Progress(Progress{Phase: phase, Done: done, Total: total})
		}
	}
}

// load brings the rows of all files into the staging table.
func (r *run) load(ctx context.Context) error {
	expressions := make([][]string, len(r.inputs))
	for i, in := range r.inputs {
		if in.format != formatParquet {
			continue
		}
		names, kinds, err := r.stage.describe(ctx, r.stage.parquet(i))
		if err != nil {
			return refuse("%q is not a Parquet file that can be read: %s", in.name, r.stage.parquetFault(i, in, err))
		}
		in.headings = names
		for j, name := range names {
			expressions[i] = append(expressions[i], asText(name, kinds[j]))
		}
		if len(in.headings) > r.options.Limits.Columns {
			return refuse("%q has %d columns, the limit is %d", in.name, len(in.headings), r.options.Limits.Columns)
		}
	}
	if !slices.ContainsFunc(r.inputs, func(in *input) bool { return in.format != "" }) {
		return refuse("there is nothing in %s", listHeadings(r.names()))
	}
	bytes := r.byteProgress()
	if r.options.Select != "" {
		filled := slices.DeleteFunc(slices.Clone(r.inputs), func(in *input) bool { return in.format == "" })
		if len(filled) < len(r.inputs) {
			return refuse("an empty file is among those of the select: leave it out")
		}
		if err := r.stage.loadView(ctx, r.options, r.inputs, r.rejections.reject, bytes); err != nil {
			return err
		}
		var err error
		r.mapping, err = r.stage.stageSelect(ctx, r.options, r.inputs)
		return err
	}
	shop, err := r.choosePreset()
	if err != nil {
		return err
	}
	if shop != nil {
		return r.loadPreset(ctx, shop, bytes)
	}
	return r.loadColumns(ctx, expressions, bytes)
}

func (r *run) names() []string {
	var names []string
	for _, in := range r.inputs {
		names = append(names, in.name)
	}
	return names
}

// loadColumns maps the first file's columns, and fills the staging table from
// all files by the same headings.
func (r *run) loadColumns(ctx context.Context, expressions [][]string, bytes func(int)) error {
	for i, in := range r.inputs {
		if in.format == "" {
			continue
		}
		if r.mapping == nil {
			var err error
			if r.mapping, err = mapColumns(r.options, r.headings()); err != nil {
				return in.named(err)
			}
			if err := r.stage.createStaged(ctx, r.mapping.columnFields()); err != nil {
				return err
			}
		}
		positions, err := r.mapping.positions(in.headings, in.isJSON())
		if err != nil {
			return in.named(err)
		}
		if in.format == formatParquet {
			chosen := make([]string, len(positions))
			for j, p := range positions {
				chosen[j] = expressions[i][p]
			}
			if err := r.stage.appendParquet(ctx, i, chosen); err != nil {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				return refuse("%q cannot be read to its end: %s", in.name, r.stage.parquetFault(i, in, err))
			}
			bytes(int(in.size))
			continue
		}
		reject := func(at int64, why Reason) { r.rejections.reject(place{i, at}, why) }
		if err := r.stage.appendText(ctx, r.options, "staged", int32(i), in, positions, reject, bytes); err != nil {
			return err
		}
	}
	return nil
}

// headings are those of the first file. A member of a JSON file may be missing
// where it says nothing, so those of all JSON files count.
func (r *run) headings() []string {
	var all []string
	for _, in := range r.inputs {
		if in.format == "" {
			continue
		}
		if !in.isJSON() {
			if all == nil {
				return in.headings
			}
			continue
		}
		for _, h := range in.headings {
			if !slices.Contains(all, h) {
				all = append(all, h)
			}
		}
	}
	return all
}

// byteProgress reports the phase "reading", at most once in a megabyte.
func (r *run) byteProgress() func(int) {
	var total, done, told int64
	for _, in := range r.inputs {
		total += in.size
	}
	report := r.progress("reading", total)
	return func(n int) {
		done += int64(n)
		if done-told >= 1<<20 || done == total {
			told = done
			report(done)
		}
	}
}
