package plan

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Figures are what the parts of the pipeline take for a unit of work. Times are microseconds of processor time.
type Figures struct {
	// Origin says where and when the figures were measured.
	Origin string `json:"origin"`
	// Idle is what the programs take without work.
	Idle Idle `json:"idle_cores"`
	// Insert is what one insert takes besides its rows. Merging the small parts that inserts make is included.
	Insert InsertCost `json:"insert"`
	// Sizes are the costs that depend on an event's size, in ascending order of the size.
	Sizes []SizeCost `json:"sizes"`
}

// Idle holds cores that are busy without work, for one process of each program.
type Idle struct {
	Gateway    float64 `json:"gateway"`
	Broker     float64 `json:"broker"`
	Consumer   float64 `json:"consumer"`
	ClickHouse float64 `json:"clickhouse"`
}

// RequestCost is the processor time of one request at a rate. The consumer's and the broker's part is that of the
// record batches that requests become.
type RequestCost struct {
	PerSecond float64 `json:"per_second"`
	Gateway   float64 `json:"gateway_us"`
	Broker    float64 `json:"broker_us"`
	Consumer  float64 `json:"consumer_us"`
	// BatchBytes is what the request's event takes more in Kafka's log than an event in a large bulk: a small batch has
	// a head of its own and compresses less.
	BatchBytes float64 `json:"batch_bytes"`
	// SentBytes is the same on the way to Kafka, with the request that carries the batch.
	SentBytes float64 `json:"sent_bytes"`
}

// InsertCost is the processor time of one insert.
type InsertCost struct {
	Consumer   float64 `json:"consumer_us"`
	ClickHouse float64 `json:"clickhouse_us"`
}

// SizeCost is what one event of a size takes.
type SizeCost struct {
	EventBytes float64 `json:"event_bytes"`
	// Gateway, Broker and Consumer are for one event in a bulk. Gzip is what inflating adds to Gateway.
	Gateway  float64 `json:"gateway_us"`
	Gzip     float64 `json:"gzip_us"`
	Broker   float64 `json:"broker_us"`
	Consumer float64 `json:"consumer_us"`
	// Row is what ClickHouse takes for a row of an insert, Merge for a row that one merge reads.
	Row   float64 `json:"clickhouse_row_us"`
	Merge float64 `json:"clickhouse_merge_us"`
	Bytes `json:"bytes"`
	// Requests is what one request with one event of this size takes besides the event, by requests per second and
	// gateway, in ascending order. A request takes less when there are many, because requests that come together share
	// a record batch.
	Requests []RequestCost `json:"requests"`
}

// Bytes are the bytes of one event on its way.
type Bytes struct {
	// Gzip is the event's part of a gzip body. Request is what a request adds to its events: its head. Answer is an
	// answer.
	Gzip    float64 `json:"gzip"`
	Request float64 `json:"request"`
	Answer  float64 `json:"answer"`
	// Kafka is the record in a compressed batch of bulks.
	Kafka float64 `json:"kafka"`
	// Insert is the row on the way to ClickHouse, Disk the row in merged parts, in one copy.
	Insert float64 `json:"insert"`
	Disk   float64 `json:"disk"`
}

//go:embed default.json
var defaultFigures []byte

// Default returns the figures that were measured for docs/performance.md.
func Default() (Figures, error) { return Parse(defaultFigures) }

// Parse reads figures from JSON, as json.Marshal writes them. Its error names what is wrong with them.
func Parse(text []byte) (Figures, error) {
	var f Figures
	if err := json.Unmarshal(text, &f); err != nil {
		return f, fmt.Errorf("not figures of sluice plan: %w", err)
	}
	return f, f.Check()
}

// Check reports figures that cannot be reckoned with.
func (f Figures) Check() error {
	if len(f.Sizes) == 0 {
		return errors.New("not figures of sluice plan: sizes must not be empty")
	}
	byRate := func(a, b RequestCost) int { return rising(a.PerSecond, b.PerSecond) }
	bySize := func(a, b SizeCost) int { return rising(a.EventBytes, b.EventBytes) }
	sorted := slices.IsSortedFunc(f.Sizes, bySize)
	for _, s := range f.Sizes {
		if len(s.Requests) == 0 {
			return fmt.Errorf("figures: the size of %g bytes has no requests: take the figures anew with "+
				"sluice plan --measure", s.EventBytes)
		}
		sorted = sorted && slices.IsSortedFunc(s.Requests, byRate)
	}
	if !sorted {
		return errors.New("figures: requests and sizes must be in ascending order, without repetition")
	}
	for _, value := range f.values() {
		if math.IsNaN(value) || math.IsInf(value, 0) || value < 0 || value > mostFigure {
			return fmt.Errorf("figures: every value must be between 0 and %.0f, not %g", mostFigure, value)
		}
	}
	for _, s := range f.Sizes {
		if s.Requests[0].PerSecond <= 0 || s.EventBytes <= 0 {
			return errors.New("figures: rates and sizes must be above 0")
		}
		if s.Gateway <= 0 || s.Consumer <= 0 || s.Row <= 0 || s.Kafka <= 0 || s.Disk <= 0 {
			return errors.New("figures: an event must take some processor time and some bytes at every part")
		}
	}
	return nil
}

// mostFigure is the largest figure. With it, no result of the largest load is beyond a float64.
const mostFigure = 1e9

// rising makes equal neighbours count as unsorted. The later one is the first argument.
func rising(later, earlier float64) int {
	if later > earlier {
		return 1
	}
	return -1
}

func (f Figures) values() []float64 {
	all := []float64{f.Idle.Gateway, f.Idle.Broker, f.Idle.Consumer, f.Idle.ClickHouse,
		f.Insert.Consumer, f.Insert.ClickHouse}
	for _, s := range f.Sizes {
		all = append(all, s.EventBytes, s.Gateway, s.Gzip, s.Broker, s.Consumer, s.Row, s.Merge,
			s.Bytes.Gzip, s.Request, s.Answer, s.Kafka, s.Insert, s.Disk)
		for _, r := range s.Requests {
			all = append(all, r.PerSecond, r.Gateway, r.Broker, r.Consumer, r.BatchBytes, r.SentBytes)
		}
	}
	return all
}
