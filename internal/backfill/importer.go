package backfill

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"
)

// Importer makes one import.
type Importer struct {
	cfg      Config
	target   Target
	stdin    io.Reader
	out      io.Writer
	progress io.Writer
}

// New prepares an import. It opens nothing. Run prints the report to out and the progress to progress. stdin is what
// --from - reads.
func New(cfg Config, target Target, stdin io.Reader, out, progress io.Writer) *Importer {
	if target.JSON || progress == nil {
		progress = io.Discard
	}
	return &Importer{cfg: cfg, target: target.withDefaults(), stdin: stdin, out: out, progress: progress}
}

// Run imports the files one after the other, prints the report and returns it. Report.OK is the verdict. After an error
// or once ctx ends, the progress is saved: the same command continues.
func (im *Importer) Run(ctx context.Context) (Report, error) {
	if err := im.cfg.validate(im.target); err != nil {
		return Report{}, err
	}
	report := Report{DryRun: im.cfg.DryRun}
	for _, name := range im.cfg.From {
		file, err := im.importFile(ctx, name)
		if file.File != "" {
			report.Files = append(report.Files, file)
		}
		if err != nil {
			return report, errors.Join(err, im.print(report))
		}
	}
	report.Passed = report.OK()
	return report, im.print(report)
}

func (im *Importer) print(r Report) error {
	if len(r.Files) == 0 {
		return nil
	}
	if im.target.JSON {
		return r.writeJSON(im.out)
	}
	return r.writeText(im.out)
}

// statePath is where the progress of an input is kept; "" for none.
func (im *Importer) statePath(s *source) string {
	switch {
	case im.cfg.DryRun:
		return ""
	case im.cfg.State != "":
		return im.cfg.State
	case s.regular:
		return s.name + stateSuffix
	default:
		return ""
	}
}

// importFile imports one input.
func (im *Importer) importFile(ctx context.Context, name string) (file File, err error) {
	src, err := open(name, im.stdin)
	if err != nil {
		return File{}, err
	}
	defer src.close()
	front, split, err := im.start(src)
	if err != nil {
		return File{}, err
	}
	defer func() { err = errors.Join(err, front.rejects.close()) }()
	file = File{File: name, ResumedAt: front.state.Line}
	if front.state.Done {
		_, _ = fmt.Fprintf(im.progress, "%s: imported already; --restart imports it again\n", name)
		file.Already = true
		return file.with(front.now()), nil
	}
	if front.state.Line > 0 {
		_, _ = fmt.Fprintf(im.progress, "%s: continues after line %d\n", name, front.state.Line)
	}
	cut := &cutter{file: name, from: split, check: checker{head: src.head}, most: im.target.Bulk}
	err = im.move(ctx, src, cut, front)
	if err == nil && src.changed() {
		err = fmt.Errorf("%s changed while it was read: import it again with --restart once it is complete", name)
	}
	err = errors.Join(err, front.finish(err == nil))
	return file.with(front.now()), err
}

// start reads the progress of an input and moves to where it ended.
func (im *Importer) start(src *source) (*frontier, *splitter, error) {
	path := im.statePath(src)
	front := &frontier{path: path, waiting: map[int64]*batch{}, release: func() {}}
	fresh := state{
		Version: stateVersion, File: src.name, Input: src.input, Target: targetHash(im.target),
		RejectsFile: im.cfg.Rejects,
	}
	front.state = fresh
	rejected := int64(-1)
	if path != "" && !im.cfg.Restart {
		old, err := readState(path)
		if err != nil {
			return nil, nil, err
		}
		if old != nil {
			if err := old.continues(path, src.input, fresh.Target, src.shown()); err != nil {
				return nil, nil, err
			}
			front.state = *old
			if old.RejectsFile == im.cfg.Rejects {
				rejected = old.RejectsBytes
			}
			front.state.RejectsFile = im.cfg.Rejects
		}
	}
	if front.state.Done {
		return front, nil, nil
	}
	var err error
	if front.rejects, err = openRejects(im.cfg.Rejects, rejected); err != nil {
		return nil, nil, err
	}
	at := front.state
	if at.Offset == 0 {
		split := newSplitter(src.text)
		front.state.Array = split.array
		return front, split, nil
	}
	if err := src.skip(at.Offset); err != nil {
		return nil, nil, errors.Join(err, front.rejects.close())
	}
	return front, resume(src.text, at.Offset, at.Line, at.Array), nil
}

// move reads batches and has them sent, a few more than there are connections at a time, so that memory is bounded.
func (im *Importer) move(ctx context.Context, src *source, cut *cutter, front *frontier) error {
	room := make(chan struct{}, 2*im.target.Connections+1)
	front.release = func() { <-room }
	show := newProgress(im.progress, src, front)
	send := newSender(im.target, show.note)
	defer send.close()
	beside, stop := context.WithCancel(context.WithoutCancel(ctx))
	var side errgroup.Group
	side.Go(func() error {
		show.follow(beside)
		return nil
	})
	work, working := errgroup.WithContext(ctx)
	batches := make(chan *batch)
	for range im.target.Connections {
		work.Go(func() error {
			for b := range batches {
				if im.cfg.DryRun {
					b.accepted = int64(len(b.events))
				} else if err := send.send(working, b); err != nil {
					return err
				}
				if err := front.settle(b); err != nil {
					return err
				}
			}
			return nil
		})
	}
	work.Go(func() error {
		defer close(batches)
		return feed(working, cut, room, batches)
	})
	err := work.Wait()
	stop()
	_ = side.Wait() // returns no error
	if err == nil && !errors.Is(cut.err, io.EOF) {
		err = fmt.Errorf("--from %s: reading failed after line %d: %w", src.shown(), cut.from.number, cut.err)
	}
	if errors.Is(err, errStopped) && ctx.Err() != nil {
		err = fmt.Errorf("%s: interrupted: %w", src.shown(), errContinue)
	}
	return err
}

var errContinue = errors.New("run the same command again to continue")

func feed(ctx context.Context, cut *cutter, room chan<- struct{}, batches chan<- *batch) error {
	for {
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return errStopped
		}
		b := cut.next()
		if b == nil {
			return nil
		}
		select {
		case batches <- b:
		case <-ctx.Done():
			return errStopped
		}
	}
}
