package event

import "sluice/internal/strictjson"

func (d *Decoder) fingerprint(ev *Event) {
	const want = "a string or an array of strings"
	switch d.scan.Peek() {
	case '"':
		ev.Fingerprint = append(ev.Fingerprint, d.scan.Text())
	case '[':
		for a := d.scan.Array(); d.scan.Item(&a); {
			if d.scan.Peek() != '"' {
				d.scan.Value()
				d.refuse("fingerprint", "fingerprint must be "+want+".")
				continue
			}
			if part := d.scan.Text(); len(ev.Fingerprint) < MaxFingerprintParts {
				ev.Fingerprint = append(ev.Fingerprint, part)
			}
		}
	default:
		d.wrongType("fingerprint", want)
	}
}

func (d *Decoder) exception(ev *Event) {
	if d.scan.Peek() != '{' {
		d.wrongType("exception", "an object")
		return
	}
	o := d.scan.Object(kindException)
	for d.scan.Member(&o) {
		switch o.Field {
		case fieldType:
			d.stringField("exception.type", &ev.Exception.Type)
		case fieldOlderType:
			d.older.given = true
			d.stringField("exception.type_name", &d.older.exceptionType)
		case fieldValue:
			d.stringField("exception.value", &ev.Exception.Value)
		case fieldModule:
			d.stringField("exception.module", &ev.Exception.Module)
		case fieldOlderModule:
			d.older.given = true
			d.stringField("exception.module_name", &d.older.exceptionModule)
		default:
			d.scan.Value()
		}
	}
}

func (d *Decoder) stacktrace(ev *Event) {
	if d.scan.Peek() != '[' {
		d.wrongType("stacktrace", "an array of frames")
		return
	}
	for a := d.scan.Array(); d.scan.Item(&a); {
		if d.scan.Peek() != '{' {
			d.scan.Value()
			d.refuse("stacktrace", "stacktrace must be an array of frames, which are objects.")
			continue
		}
		if f := d.frame(); len(ev.Frames) < MaxFrames {
			ev.Frames = append(ev.Frames, f)
		}
	}
}

func (d *Decoder) frame() Frame {
	var f Frame
	var older, unused Text
	o := d.scan.Object(kindFrame)
	for d.scan.Member(&o) {
		switch o.Field {
		case fieldFilename:
			d.stringField("stacktrace.filename", &f.Filename)
		case fieldFunction:
			d.stringField("stacktrace.function", &f.Function)
		case fieldOlderFunction:
			d.stringField("stacktrace.function_name", &older)
		case fieldContextLine:
			d.stringField("stacktrace.context_line", &unused)
		case fieldLineNo:
			d.numberField("stacktrace.lineno")
		case fieldColNo:
			d.numberField("stacktrace.colno")
		case fieldInApp:
			f.InApp = d.boolField("stacktrace.in_app")
		default:
			d.scan.Value()
		}
	}
	fill(&f.Function, older)
	return f
}

// numberField moves over a number or null. Its value is not kept: no column holds one.
func (d *Decoder) numberField(field string) {
	if c := d.scan.Peek(); c != '-' && !isDigit(c) {
		d.wrongType(field, "a number")
		return
	}
	d.scan.Number()
}

func (d *Decoder) boolField(field string) bool {
	switch d.scan.Peek() {
	case 't':
		d.scan.Literal("true")
		return true
	case 'f':
		d.scan.Literal("false")
	default:
		d.wrongType(field, "true or false")
	}
	return false
}

// userNames are the paths of a user's fields in errors.
type userNames struct{ user, id, email string }

var (
	userFields        = userNames{"user", "user.id", "user.email"}
	userContextFields = userNames{"user_context", "user_context.id", "user_context.email"}
)

func (d *Decoder) user(names userNames, id, email *Text) {
	if d.scan.Peek() != '{' {
		d.wrongType(names.user, "an object")
		return
	}
	o := d.scan.Object(kindUser)
	for d.scan.Member(&o) {
		switch o.Field {
		case fieldID:
			d.stringOrNumber(names.id, id)
		case fieldEmail:
			d.stringField(names.email, email)
		default:
			d.scan.Value()
		}
	}
}

// stringOrNumber reads a string, a number or null. Of a number it keeps the JSON text.
func (d *Decoder) stringOrNumber(field string, into *Text) {
	switch c := d.scan.Peek(); {
	case c == '"':
		*into = d.scan.Text()
	case c == '-' || isDigit(c):
		*into = strictjson.Verbatim(d.scan.Raw())
	default:
		d.wrongType(field, "a string or a number")
	}
}

func (d *Decoder) sdk(ev *Event) {
	if d.scan.Peek() != '{' {
		d.wrongType("sdk", "an object")
		return
	}
	o := d.scan.Object(kindSDK)
	for d.scan.Member(&o) {
		switch o.Field {
		case fieldName:
			d.stringField("sdk.name", &ev.SDK.Name)
		case fieldVersion:
			d.stringField("sdk.version", &ev.SDK.Version)
		default:
			d.scan.Value()
		}
	}
}
