package realistic

import (
	"fmt"
	"math"
	"sort"
)

type serviceNo uint8

const (
	web serviceNo = iota
	storefront
	checkout
	billing
	catalog
	worker
)

// maker describes a service; newService makes it from that.
type maker struct {
	name       string
	platform   string
	sdk        string
	sdkVersion string
	major      int
	rollout    float64 // hours until most of the traffic comes from a new release
	language   language
}

// makers are in the order of the serviceNo.
var makers = []maker{
	{"shop-web", "javascript", "sentry.javascript.react", "8.47.0", 3, 14, browserJS},
	{"storefront", "node", "sentry.javascript.node", "8.47.0", 7, 0.7, nodeTS},
	{"checkout", "go", "sentry.go", "0.31.1", 1, 0.4, golang},
	{"billing", "java", "sentry.java.spring-boot", "7.20.0", 5, 1.2, java},
	{"catalog", "python", "sentry.python.django", "2.19.2", 2026, 0.6, python},
	{"mail-worker", "python", "sentry.python.celery", "2.19.2", 2, 0.3, celery},
}

// service is a program of the shop.
type service struct {
	maker
	releases []release
	kinds    []kind
	// pick has for each release the running sum of the kinds' weights.
	pick    [][]float64
	servers []string
}

// release is a version of a service.
type release struct {
	name string
	at   int64 // Unix milliseconds
	slow float64
}

// newService makes the releases and the errors of a service. The errors are the same for every seed, so that several
// runs fill the same issues.
func newService(m maker, r prng, from, until int64) *service {
	s := &service{maker: m}
	s.releases = append(s.releases, release{name: m.version(0), at: math.MinInt64, slow: 1})
	span := until - from
	for at := from + span/40; at < until; {
		n := len(s.releases)
		s.releases = append(s.releases, release{name: m.version(n), at: at, slow: 0.9 + 0.2*r.unit()})
		at += int64((0.06 + 0.1*r.unit()) * float64(span))
	}
	s.kinds = m.language.kinds()
	bad := len(s.releases) * 3 / 5
	s.releases[bad].slow = 2.1
	s.weigh(bad, r)
	for range 6 {
		s.servers = append(s.servers, fmt.Sprintf("%s-%08x-%s", m.name, uint32(r.next())>>2, podSuffix(&r)))
	}
	return s
}

func (m maker) version(n int) string {
	if m.language.name == "python" {
		return fmt.Sprintf("%s@%d.%d.%d", m.name, m.major, 10+n/6, n%6)
	}
	return fmt.Sprintf("%s@%d.%d.%d", m.name, m.major, 14+n*2/3, n*2%3)
}

func podSuffix(r *prng) string {
	const letters = "bcdfghjklmnpqrstvwxz2456789"
	var b [5]byte
	for i := range b {
		b[i] = letters[r.below(len(letters))]
	}
	return string(b[:])
}

// weigh decides how often each kind happens in each release: a few kinds make most of the noise, some appear with a
// release, some are fixed, some of these come back. The first kind only happens in the bad release, and very often.
func (s *service) weigh(bad int, r prng) {
	s.pick = make([][]float64, len(s.releases))
	for i := range s.pick {
		s.pick[i] = make([]float64, len(s.kinds))
	}
	for k := range s.kinds {
		weight := 1 / math.Pow(float64(k)+2, 0.95)
		if s.kinds[k].level == "fatal" {
			weight /= 6
		}
		born, fixed, back := 0, len(s.releases), len(s.releases)
		if r.chance(0.35) {
			born = r.below(len(s.releases))
		}
		if r.chance(0.25) {
			fixed = born + 1 + r.below(4)
			if r.chance(0.4) {
				back = fixed + 1 + r.below(3)
			}
		}
		for i := range s.releases {
			if i >= born && i < fixed || i >= back {
				s.pick[i][k] = weight
			}
		}
	}
	for i := range s.pick {
		sum := 0.0
		for k := 1; k < len(s.kinds); k++ {
			sum += s.pick[i][k]
		}
		s.pick[i][0] = 0
		if i == bad {
			s.pick[i][0] = 0.8 * sum
		}
		for k := 1; k < len(s.kinds); k++ {
			s.pick[i][k] += s.pick[i][k-1]
		}
	}
}

// releaseAt returns the number of the release that an event at a time comes from. New releases roll out gradually.
func (s *service) releaseAt(at int64, r *prng) int {
	i := sort.Search(len(s.releases), func(i int) bool { return s.releases[i].at > at }) - 1
	for i > 0 {
		age := float64(at-s.releases[i].at) / hourMillis
		if !r.chance(math.Exp(-age / s.rollout * 2)) {
			break
		}
		i--
	}
	return max(i, 0)
}

// errorOf picks an error that happens in a release.
func (s *service) errorOf(release int, r *prng) int {
	sums := s.pick[release]
	return min(sort.SearchFloat64s(sums, r.unit()*sums[len(sums)-1]), len(sums)-1)
}
