package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// write writes the events to a file in place of sending them.
func (r *Runner) write(ctx context.Context, gen contents, origin Origin) (report Report, err error) {
	out, closeOut, err := r.createFile()
	if err != nil {
		return Report{}, err
	}
	defer func() {
		if err = errors.Join(err, closeOut()); err != nil {
			err = fmt.Errorf("--write: %w", err)
		}
	}()
	start, noted := time.Now(), time.Now()
	var buf []byte
	total := r.cfg.expected()
	for i := range total {
		buf = append(gen.append(buf[:0], i), '\n')
		if _, err := out.Write(buf); err != nil {
			return Report{}, err
		}
		report.Sent++
		report.Bytes += int64(len(buf))
		if i%1024 != 0 {
			continue
		}
		if ctx.Err() != nil {
			return Report{}, errors.New("interrupted: the file is not complete")
		}
		if now := time.Now(); now.Sub(noted) >= lineEvery && !r.cfg.JSON {
			noted = now
			_, _ = fmt.Fprintf(r.progress, "%d of %d events, %.0f events/s\n", i, total,
				float64(i)/now.Sub(start).Seconds()) // the run continues without a reader
		}
	}
	report.Origin, report.Seconds = origin, time.Since(start).Seconds()
	report.Passed = true
	if r.cfg.Write == "-" {
		return report, nil
	}
	_, err = fmt.Fprintf(r.out, "wrote %d events, %.1f MB, to %s in %.1f s (seed %d, until %s)\n", report.Sent,
		float64(report.Bytes)/1e6, r.cfg.Write, report.Seconds, origin.Seed, origin.Until)
	return report, err
}

// createFile opens the file of --write. closeOut flushes what is in its buffers.
func (r *Runner) createFile() (out io.Writer, closeOut func() error, err error) {
	if r.cfg.Write == "-" {
		w := bufio.NewWriterSize(r.out, 256<<10)
		return w, w.Flush, nil
	}
	f, err := os.Create(r.cfg.Write)
	if err != nil {
		return nil, nil, fmt.Errorf("--write: %w", err)
	}
	w := bufio.NewWriterSize(f, 256<<10)
	finish := func() error { return errors.Join(w.Flush(), f.Close()) }
	var packer io.WriteCloser
	switch {
	case strings.HasSuffix(r.cfg.Write, ".gz"):
		packer, _ = gzip.NewWriterLevel(w, gzip.BestSpeed) // fails only for an invalid level
	case strings.HasSuffix(r.cfg.Write, ".zst"):
		packer, err = zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest))
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("--write: %w", err), f.Close())
		}
	default:
		return w, finish, nil
	}
	return packer, func() error { return errors.Join(packer.Close(), finish()) }, nil
}
