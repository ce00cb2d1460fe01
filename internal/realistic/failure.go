package realistic

import "strconv"

// appendError appends the fields of an error, as an SDK reports it.
func (s *scene) appendError(buf []byte, f *Facts) []byte {
	pick := prng(s.session ^ 0xe4404) // all errors of a burst are the same
	if s.kind == journey {
		pick = s.r
	}
	number := s.service.errorOf(s.release, &pick)
	k := &s.service.kinds[number]
	r := s.r
	level := k.level
	if level == "" && number%9 == 4 {
		level = "warning"
	}
	if f != nil {
		again := r
		f.Message = k.typ + ": " + string(k.value.append(nil, &again, true))
		if f.Level = level; level == "" {
			f.Level = "error"
		}
	}
	if level == "" && s.service.platform != "java" {
		level = "error"
	}
	if level != "" {
		buf = append(buf, `"level":"`...)
		buf = append(buf, level...)
		buf = append(buf, `",`...)
	}
	buf = append(buf, `"exception":{"type":"`...)
	buf = append(buf, k.typ...)
	buf = append(buf, `","value":"`...)
	buf = k.value.append(buf, &r, false)
	if k.module != "" {
		buf = append(buf, `","module":"`...)
		buf = append(buf, k.module...)
	}
	buf = append(buf, `","mechanism":{"type":"generic","handled":`...)
	buf = strconv.AppendBool(buf, level != "fatal")
	buf = append(buf, `}},"stacktrace":[`...)
	for i := range k.frames {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = append(buf, k.frames[i].head...)
		line := k.frames[i].line
		if k.frames[i].app {
			line += 3 * s.release // the code above it grows
		}
		buf = strconv.AppendInt(buf, int64(line), 10)
		buf = append(buf, k.frames[i].tail...)
	}
	buf = append(buf, `],"transaction":"`...)
	buf = append(buf, s.transaction()...)
	buf = append(buf, `",`...)
	buf = s.appendSource(buf)
	buf = append(buf, `"sdk":{"name":"`...)
	buf = append(buf, s.service.sdk...)
	buf = append(buf, `","version":"`...)
	buf = append(buf, s.service.sdkVersion...)
	buf = append(buf, `"},`...)
	buf = s.appendCrumbs(buf, &r)
	return s.appendContexts(buf, &r)
}

func (s *scene) transaction() string {
	switch s.step.service {
	case web:
		return abouts[s.step.page].transaction
	case worker:
		return "mails.send_receipt"
	default:
		return abouts[s.step.page].api
	}
}

// crumbs are what happened before an error, rendered but for the time.
var crumbs = []string{
	`{"type":"http","category":"fetch","data":{"method":"GET","url":"/api/home","status_code":200},"timestamp":`,
	`{"type":"default","category":"ui.click","message":"button.primary[type=\"submit\"]","timestamp":`,
	`{"type":"navigation","category":"navigation","data":{"from":"/cart","to":"/checkout"},"timestamp":`,
	`{"type":"default","category":"console","level":"warning","message":"slow network detected","timestamp":`,
	`{"type":"query","category":"query","message":"SELECT * FROM orders WHERE id = $1","timestamp":`,
}

func (s *scene) appendCrumbs(buf []byte, r *prng) []byte {
	n := r.below(4)
	if n == 0 {
		return buf
	}
	buf = append(buf, `"breadcrumbs":[`...)
	shown := s.at + s.skew().Milliseconds()
	for i := range n {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = append(buf, of(r, crumbs)...)
		before := shown - int64((n-i)*(200+r.below(5000)))
		buf = strconv.AppendInt(buf, before/1000, 10)
		buf = append(buf, '.')
		buf = appendPadded(buf, uint64(before%1000), 3)
		buf = append(buf, '}')
	}
	return append(buf, `],`...)
}

// runtimes are the contexts of programs on servers.
var runtimes = map[string]string{
	"node": `"runtime":{"name":"node","version":"v22.12.0"},"os":{"name":"Linux","kernel_version":"6.1.112"}`,
	"go": `"runtime":{"name":"go","version":"go1.26.1","go_maxprocs":4,"go_numroutines":118},` +
		`"os":{"name":"linux"}`,
	"java":   `"runtime":{"name":"Eclipse Adoptium","version":"21.0.5"},"os":{"name":"Linux","version":"6.1.112"}`,
	"python": `"runtime":{"name":"CPython","version":"3.13.1","build":"3.13.1 (main) [GCC 12.2.0]"}`,
}

func (s *scene) appendContexts(buf []byte, r *prng) []byte {
	buf = append(buf, `"contexts":{"trace":{"span_id":"`...)
	buf = appendHex16(buf, r.next())
	buf = append(buf, `","op":"http.server","status":"internal_error"},`...)
	if s.step.service == web {
		buf = append(buf, s.browser().context...)
		buf = append(buf, `},"request":{"url":"https://shop.example`...)
		buf = append(buf, abouts[s.step.page].transaction...)
		buf = append(buf, `","headers":{"User-Agent":"`...)
		buf = append(buf, s.browser().agent...)
		return append(buf, `"}}`...)
	}
	buf = append(buf, runtimes[s.service.platform]...)
	buf = append(buf, '}')
	if s.step.service == worker || !s.known {
		return buf
	}
	buf = append(buf, `,"request":{"method":"POST","url":"https://api.shop.example/api",`+
		`"headers":{"Accept":"application/json","X-Request-Id":"`...)
	buf = appendHex16(buf, r.next())
	return append(buf, `"}}`...)
}
