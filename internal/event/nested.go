package event

func (d *Decoder) fingerprint(ev *Event) {
	const want = "a string or an array of strings"
	switch d.scan.peek() {
	case '"':
		ev.Fingerprint = append(ev.Fingerprint, d.scan.text())
	case '[':
		for a := d.scan.array(); d.scan.item(&a); {
			if d.scan.peek() != '"' {
				d.scan.value()
				d.refuse("fingerprint", "fingerprint must be "+want+".")
				continue
			}
			if part := d.scan.text(); len(ev.Fingerprint) < MaxFingerprintParts {
				ev.Fingerprint = append(ev.Fingerprint, part)
			}
		}
	default:
		d.wrongType("fingerprint", want)
	}
}

func (d *Decoder) exception(ev *Event) {
	if d.scan.peek() != '{' {
		d.wrongType("exception", "an object")
		return
	}
	o := d.scan.object(kindException)
	for d.scan.member(&o) {
		switch o.field {
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
			d.scan.value()
		}
	}
}

func (d *Decoder) stacktrace(ev *Event) {
	if d.scan.peek() != '[' {
		d.wrongType("stacktrace", "an array of frames")
		return
	}
	for a := d.scan.array(); d.scan.item(&a); {
		if d.scan.peek() != '{' {
			d.scan.value()
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
	o := d.scan.object(kindFrame)
	for d.scan.member(&o) {
		switch o.field {
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
			d.scan.value()
		}
	}
	fill(&f.Function, older)
	return f
}

// numberField checks for a number or null. No column holds a number of the client's.
func (d *Decoder) numberField(field string) {
	if c := d.scan.peek(); c != '-' && !isDigit(c) {
		d.wrongType(field, "a number")
		return
	}
	d.scan.number()
}

func (d *Decoder) boolField(field string) bool {
	switch d.scan.peek() {
	case 't':
		d.scan.literal("true")
		return true
	case 'f':
		d.scan.literal("false")
	default:
		d.wrongType(field, "true or false")
	}
	return false
}

// userNames are the names under which a user's fields are refused.
type userNames struct{ user, id, email string }

var (
	userFields        = userNames{"user", "user.id", "user.email"}
	userContextFields = userNames{"user_context", "user_context.id", "user_context.email"}
)

func (d *Decoder) user(names userNames, id, email *Text) {
	if d.scan.peek() != '{' {
		d.wrongType(names.user, "an object")
		return
	}
	o := d.scan.object(kindUser)
	for d.scan.member(&o) {
		switch o.field {
		case fieldID:
			d.stringOrNumber(names.id, id)
		case fieldEmail:
			d.stringField(names.email, email)
		default:
			d.scan.value()
		}
	}
}

// stringOrNumber reads a string, a number, whose JSON text is kept, or null.
func (d *Decoder) stringOrNumber(field string, into *Text) {
	switch c := d.scan.peek(); {
	case c == '"':
		*into = d.scan.text()
	case c == '-' || isDigit(c):
		*into = plainText(d.scan.raw())
	default:
		d.wrongType(field, "a string or a number")
	}
}

func (d *Decoder) sdk(ev *Event) {
	if d.scan.peek() != '{' {
		d.wrongType("sdk", "an object")
		return
	}
	o := d.scan.object(kindSDK)
	for d.scan.member(&o) {
		switch o.field {
		case fieldName:
			d.stringField("sdk.name", &ev.SDKName)
		case fieldVersion:
			d.stringField("sdk.version", &ev.SDKVersion)
		default:
			d.scan.value()
		}
	}
}
