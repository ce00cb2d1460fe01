package realistic

import "strconv"

// browser is what a visitor uses.
type browser struct{ name, agent, context string }

var browsers = []browser{
	{
		"Chrome 131", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) " +
			"Chrome/131.0.0.0 Safari/537.36",
		`"browser":{"name":"Chrome","version":"131.0.0"},"os":{"name":"Windows","version":">=10"},` +
			`"device":{"family":"Desktop"}`,
	},
	{
		"Chrome 130", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like " +
			"Gecko) Chrome/130.0.0.0 Safari/537.36",
		`"browser":{"name":"Chrome","version":"130.0.0"},"os":{"name":"Mac OS X","version":"10.15.7"},` +
			`"device":{"family":"Mac"}`,
	},
	{
		"Mobile Safari 18", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 " +
			"(KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
		`"browser":{"name":"Mobile Safari","version":"18.1"},"os":{"name":"iOS","version":"18.1"},` +
			`"device":{"family":"iPhone"}`,
	},
	{
		"Chrome Mobile 131", "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) " +
			"Chrome/131.0.0.0 Mobile Safari/537.36",
		`"browser":{"name":"Chrome Mobile","version":"131.0.0"},"os":{"name":"Android","version":"10"},` +
			`"device":{"family":"K"}`,
	},
	{
		"Firefox 133", "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
		`"browser":{"name":"Firefox","version":"133.0"},"os":{"name":"Linux"},"device":{"family":"Desktop"}`,
	},
	{
		"Safari 18", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like " +
			"Gecko) Version/18.1 Safari/605.1.15",
		`"browser":{"name":"Safari","version":"18.1"},"os":{"name":"Mac OS X","version":"10.15.7"},` +
			`"device":{"family":"Mac"}`,
	},
	{
		"Edge 131", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) " +
			"Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0",
		`"browser":{"name":"Edge","version":"131.0.0"},"os":{"name":"Windows","version":">=10"},` +
			`"device":{"family":"Desktop"}`,
	},
}

// browser is the one of the event's user.
func (s *scene) browser() *browser {
	n := int(s.person.hash >> 3 % 16)
	return &browsers[[...]int{0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 5, 6, 6}[n]]
}

var (
	categories = []string{"lamps", "chairs", "tables", "rugs", "shelves", "plants", "kitchen", "bath", "garden", "kids",
		"sale"}
	queries = []string{"lamp", "oak table", "white shelf", "rug 200x300", "chair set", "garden bench", "desk", "mirror",
		"sofa"}
	campaigns = []string{"", "", "", "", "newsletter", "black-friday", "spring", "retargeting", "influencer"}
	referrers = []string{"", "", "https://search.example/", "https://social.example/", "https://news.example/decor"}
	screens   = []string{`1920,"height":1080`, `1440,"height":900`, `390,"height":844`, `412,"height":915`,
		`2560,"height":1440`}
	locales = []string{"de-DE", "de-DE", "fr-FR", "en-GB", "en-US", "nl-NL", "es-ES", "it-IT"}
)

// appendProduct appends the fields of a page view or of a product event.
func (s *scene) appendProduct(buf []byte, f *Facts) []byte {
	r, page := s.r, &abouts[s.step.page]
	name := "Page Viewed"
	if s.step.kind == trackStep {
		name = page.event
	}
	if f != nil {
		f.Message, f.Level = name, "info"
	}
	buf = append(buf, `"level":"info","message":"`...)
	buf = append(buf, name...)
	buf = append(buf, `","transaction":"`...)
	buf = append(buf, page.transaction...)
	buf = append(buf, `",`...)
	buf = s.appendSource(buf)
	buf = append(buf, `"sdk":{"name":"shop-analytics","version":"4.2.0"},"session_id":"`...)
	buf = appendHex16(buf, s.session)
	buf = append(buf, `",`...)
	if s.step.kind == viewStep {
		millis := page.millis * 6 * r.tail() * s.service.releases[s.release].slow
		buf = appendMillis(append(buf, `"duration_ms":`...), millis)
		buf = appendMillis(append(buf, `,"vitals":{"ttfb":`...), millis*0.2)
		buf = appendMillis(append(buf, `,"fcp":`...), millis*0.55)
		buf = appendMillis(append(buf, `,"lcp":`...), millis*0.9)
		buf = append(buf, `,"cls":0.`...)
		buf = appendPadded(buf, uint64(r.below(240)), 3)
		buf = append(buf, `},`...)
	}
	buf = s.appendProperties(buf, &r)
	return s.appendPageContext(buf, &r)
}

// appendProperties appends what a product event is about: an article, with the same price everywhere.
func (s *scene) appendProperties(buf []byte, r *prng) []byte {
	article := 1 + int(400*r.unit()*r.unit())
	price := 4.9 + float64(mix(uint64(article))%30000)/100
	buf = append(buf, `"properties":{"category":"`...)
	buf = append(buf, categories[article%len(categories)]...)
	switch s.step.page {
	case search:
		buf = append(buf, `","query":"`...)
		buf = append(buf, of(r, queries)...)
		buf = append(buf, `","results":`...)
		buf = strconv.AppendInt(buf, int64(r.below(120)), 10)
	case product, cart:
		buf = append(buf, `","product_id":"p-`...)
		buf = appendPadded(buf, uint64(article), 5)
		buf = append(buf, `","sku":"SKU-`...)
		buf = appendPadded(buf, mix(uint64(article))%1_000_000, 6)
		buf = append(buf, `","price":`...)
		buf = strconv.AppendFloat(buf, price, 'f', 2, 64)
		buf = append(buf, `,"currency":"EUR","quantity":`...)
		buf = strconv.AppendInt(buf, int64(1+r.below(3)), 10)
	case checkoutPage, payment, done:
		buf = append(buf, `","order_id":"o-`...)
		buf = strconv.AppendUint(buf, s.session>>24, 10)
		buf = append(buf, `","items":`...)
		buf = strconv.AppendInt(buf, int64(1+r.below(5)), 10)
		buf = append(buf, `,"revenue":`...)
		buf = strconv.AppendFloat(buf, price*(1+3*r.unit()), 'f', 2, 64)
		buf = append(buf, `,"currency":"EUR","coupon":`...)
		buf = append(buf, [...]string{"null", "null", "null", `"WELCOME10"`}[r.below(4)]...)
	default:
		buf = append(buf, `","list":"recommended"`...)
	}
	if s.step.page == home || s.step.page == category || s.step.page == account {
		return append(buf, `},`...)
	}
	return append(buf, `,"list":"main"},`...)
}

// appendPageContext appends what the browser says about itself and its page.
func (s *scene) appendPageContext(buf []byte, r *prng) []byte {
	session := prng(s.session ^ 0xca3e)
	campaign, referrer := of(&session, campaigns), of(&session, referrers)
	buf = append(buf, `"context":{"page":{"url":"https://shop.example`...)
	buf = append(buf, abouts[s.step.page].transaction...)
	buf = append(buf, `","title":"`...)
	buf = append(buf, abouts[s.step.page].title...)
	buf = append(buf, ` | shop.example","referrer":"`...)
	buf = append(buf, referrer...)
	buf = append(buf, `"},"campaign":{"name":"`...)
	buf = append(buf, campaign...)
	buf = append(buf, `"},"screen":{"width":`...)
	buf = append(buf, of(&session, screens)...)
	buf = append(buf, `},"locale":"`...)
	buf = append(buf, of(&session, locales)...)
	buf = append(buf, `","library":{"name":"shop-analytics","version":"4.2.0"},"userAgent":"`...)
	buf = append(buf, s.browser().agent...)
	buf = append(buf, `",`...)
	buf = append(buf, s.browser().context...)
	buf = append(buf, `,"experiments":{"checkout_v2":"`...)
	buf = append(buf, [...]string{"a", "b"}[s.person.hash>>5%2]...)
	buf = append(buf, `","new_search":"`...)
	buf = append(buf, [...]string{"control", "treatment"}[s.person.hash>>6%2]...)
	buf = append(buf, `","load":`...)
	buf = strconv.AppendInt(buf, int64(r.below(100)), 10)
	return append(buf, `}}`...)
}

func appendMillis(buf []byte, millis float64) []byte {
	return strconv.AppendFloat(buf, millis, 'f', 1, 64)
}
