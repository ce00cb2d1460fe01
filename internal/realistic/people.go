package realistic

import (
	"math"
	"strconv"
)

// people are the users. A user belongs to the day of the first visit; nobody keeps a list of them.
type people struct {
	perDay float64 // new users a day
}

// newPeople expects a visit for every nine events, of which half are of visits, and a third of the visits to be first
// ones.
func newPeople(events int64, days int) people {
	return people{perDay: max(4, float64(events)/float64(days)*0.5/9*0.33)}
}

// person is a user: the same in every event.
type person struct {
	hash uint64
	fan  bool // one of a few hundred who come every day
}

// pick returns who is active at a time. Fewer and fewer come back as weeks pass, and of those who come on a day, a few
// come often.
func (p people) pick(at int64, r *prng) person {
	if r.chance(0.06) {
		rank := math.Pow(300, r.unit()) // a long tail: rank 1 comes a hundred times as often as rank 100
		return person{hash: mix(uint64(rank) + 0xfa0), fan: true}
	}
	day := at / dayMillis
	age := int64(0)
	if r.chance(0.67) {
		u := r.unit()
		age = 1 + int64(u*u*u*120)
	}
	u := r.unit()
	number := uint64(p.perDay * u * u)
	return person{hash: mix(uint64(day-age)<<32 ^ number ^ 0x5ca1ab1e00000000)}
}

var (
	firstNames = []string{
		"anna", "ben", "carla", "david", "elena", "felix", "grace", "hugo", "ines", "jonas", "katya", "liam", "maria",
		"noah", "olga", "pavel", "quinn", "rosa", "sven", "tara", "umut", "vera", "wen", "yara", "zoe",
	}
	lastNames = []string{
		"adler", "brandt", "costa", "diaz", "eriksen", "fischer", "garcia", "haas", "ivanova", "jensen", "keller",
		"lopez",
		"meyer", "novak", "okafor", "petrov", "quist", "rossi", "santos", "tanaka", "ueda", "vogel", "weber", "young",
	}
	mailHosts = []string{"example.com", "example.net", "example.org", "mail.example.com"}
	countries = []string{"DE", "DE", "DE", "FR", "FR", "GB", "GB", "NL", "ES", "IT", "PL", "SE", "US", "US", "AT", "CH"}
	plans     = []string{"free", "free", "free", "free", "plus", "plus", "business"}
)

func (p person) country() string { return countries[p.hash>>8%uint64(len(countries))] }
func (p person) plan() string    { return plans[p.hash>>16%uint64(len(plans))] }

// appendUser appends the value of the field user.
func (p person) appendUser(buf []byte) []byte {
	buf = append(buf, `{"id":"usr_`...)
	buf = strconv.AppendUint(buf, p.hash>>14, 36)
	buf = append(buf, `","email":"`...)
	buf = append(buf, firstNames[p.hash>>24%uint64(len(firstNames))]...)
	buf = append(buf, '.')
	buf = append(buf, lastNames[p.hash>>32%uint64(len(lastNames))]...)
	buf = strconv.AppendUint(buf, p.hash>>40%1000, 10)
	buf = append(buf, '@')
	buf = append(buf, mailHosts[p.hash>>50%uint64(len(mailHosts))]...)
	buf = append(buf, `","ip_address":"`...)
	buf = append(buf, [...]string{"192.0.2.", "198.51.100.", "203.0.113."}[p.hash%3]...)
	buf = strconv.AppendUint(buf, 1+p.hash>>4%254, 10)
	buf = append(buf, `","plan":"`...)
	buf = append(buf, p.plan()...)
	return append(buf, `"}`...)
}
