package realistic

import (
	"strconv"
	"strings"
)

// logText is a line that a service logs.
type logText struct {
	level  string // as the service writes it
	stored string
	logger string
	text   template
}

func text(level, stored, logger, text string) logText {
	return logText{level: level, stored: stored, logger: logger, text: compile(text)}
}

// logTexts are the lines of each service, by serviceNo; those that come first come most often.
var logTexts = [...][]logText{
	web: {text("info", "info", "app", "started")},
	storefront: {
		text("info", "info", "http", "rendered / in %d ms"),
		text("debug", "debug", "cache", "cache miss for home:%n"),
		text("warn", "warning", "cache", "redis answered after %d ms"),
		text("info", "info", "session", "session %u refreshed"),
		text("error", "error", "cache", "redis connection lost, attempt %n"),
	},
	checkout: {
		text("info", "info", "checkout", "order %u reserved in %d ms"),
		text("info", "info", "pricing", "price list %n loaded, %n rules"),
		text("warn", "warning", "stock", "stock service answered after %d ms"),
		text("DEBUG", "debug", "db", "pool: %n connections, %n idle"),
		text("error", "error", "stock", "stock service: circuit open for %d ms"),
	},
	billing: {
		text("INFO", "info", "com.shop.billing.PaymentService", "captured payment %u in %d ms"),
		text("INFO", "info", "com.zaxxer.hikari.HikariPool", "HikariPool-1 - Pool stats (total=%n, "+
			"active=%n, idle=%n)"),
		text("WARN", "warning", "com.shop.billing.BankClient", "the bank answered after %d ms, retrying"),
		text("TRACE", "debug", "com.shop.billing.Ledger", "booked entry %n"),
		text("ERROR", "error", "com.shop.billing.BankClient", "giving up on payment %u after %n attempts"),
	},
	catalog: {
		text("INFO", "info", "catalog.search", "reindexed %n products in %d ms"),
		text("DEBUG", "debug", "django.db.backends", "(%d) SELECT \"catalog_product\".\"id\" FROM "+
			"\"catalog_product\" WHERE id = %n"),
		text("WARNING", "warning", "catalog.search", "slow query took %d ms for product %n"),
		text("INFO", "info", "catalog.import", "imported feed %n: %n rows, %n skipped"),
	},
	worker: {
		text("INFO", "info", "celery.app.trace", "Task mails.send_receipt[%u] succeeded in %d ms"),
		text("INFO", "info", "celery.worker.strategy", "Task mails.send_receipt[%u] received"),
		text("INFO", "info", "mailworker.smtp", "sent order confirmation %n in %d ms, queue length %n"),
		text("WARNING", "warning", "mailworker.smtp", "greylisted, trying again in %n s"),
		text("critical", "fatal", "celery.worker", "no broker for %n s, shutting down"),
	},
}

// appendLog appends the fields of a log line. No SDK is involved.
func (s *scene) appendLog(buf []byte, f *Facts) []byte {
	r := s.r
	list := logTexts[s.step.service]
	u := r.unit()
	line := &list[int(u*u*u*float64(len(list)))]
	if f != nil {
		again := r
		f.Message, f.Level = string(line.text.append(nil, &again, true)), line.stored
	}
	buf = append(buf, `"level":"`...)
	buf = append(buf, line.level...)
	buf = append(buf, `","message":"`...)
	buf = line.text.append(buf, &r, false)
	buf = append(buf, `","logger":"`...)
	buf = append(buf, line.logger...)
	buf = append(buf, `",`...)
	buf = s.appendSource(buf)
	buf = append(buf, `"thread":"worker-`...)
	buf = strconv.AppendInt(buf, int64(r.below(24)), 10)
	buf = append(buf, `","k8s":{"namespace":"shop","pod_uid":"`...)
	buf = appendHex16(buf, s.session)
	buf = append(buf, `","node":"ip-10-4-`...)
	buf = strconv.AppendUint(buf, s.session%200, 10)
	return append(buf, `-12.internal"},"container":{"runtime":"containerd","restarts":0}`...)
}

// appendAPI appends the fields of a request log.
func (s *scene) appendAPI(buf []byte, f *Facts) []byte {
	r, page := s.r, &abouts[s.step.page]
	millis := page.millis * r.tail() * s.service.releases[s.release].slow
	status, level := 200, "info"
	switch u := r.unit(); {
	case u < 0.012:
		status, level = 500+r.below(4), "error"
		millis *= 4
	case u < 0.05:
		status, level = [...]int{400, 404, 409, 422, 429}[r.below(5)], "warning"
	case strings.HasPrefix(page.api, "POST"):
		status = 201
	}
	buf = append(buf, `"message":"`...)
	text := len(buf)
	buf = append(buf, page.api...)
	buf = append(buf, ' ')
	buf = strconv.AppendInt(buf, int64(status), 10)
	buf = append(buf, " in "...)
	buf = strconv.AppendInt(buf, int64(millis), 10)
	buf = append(buf, " ms"...)
	if f != nil {
		f.Message, f.Level = string(buf[text:]), level
	}
	buf = append(buf, `","level":"`...)
	buf = append(buf, level...)
	buf = append(buf, `","transaction":"`...)
	buf = append(buf, page.api...)
	buf = append(buf, `","logger":"access",`...)
	buf = s.appendSource(buf)
	buf = appendMillis(append(buf, `"duration_ms":`...), millis)
	buf = append(buf, `,"span_id":"`...)
	buf = appendHex16(buf, r.next())
	buf = append(buf, `","http":{"request":{"method":"`...)
	method, _, _ := strings.Cut(page.api, " ")
	buf = append(buf, method...)
	buf = append(buf, `","content_type":"application/json","bytes":`...)
	buf = strconv.AppendInt(buf, int64(r.below(2000)), 10)
	buf = append(buf, `,"id":"`...)
	buf = appendHex16(buf, r.next())
	buf = append(buf, `"},"response":{"status_code":`...)
	buf = strconv.AppendInt(buf, int64(status), 10)
	buf = append(buf, `,"bytes":`...)
	buf = strconv.AppendInt(buf, int64(400+3000*r.tail()), 10)
	buf = append(buf, `}},"url":{"domain":"api.shop.example","scheme":"https","port":443},`+
		`"upstream":{"connect_ms":`...)
	buf = appendMillis(buf, millis*0.03)
	buf = append(buf, `,"db_ms":`...)
	buf = appendMillis(buf, millis*0.6*r.unit())
	buf = append(buf, `,"queries":`...)
	buf = strconv.AppendInt(buf, int64(1+r.below(9)), 10)
	buf = append(buf, `},"user_agent":"`...)
	buf = append(buf, s.browser().agent...)
	return append(buf, '"')
}
