package event

import "sluice/internal/strictjson"

// The kinds of objects. The scanner learns the order of the members of every kind but kindBulk.
const (
	kindEvent strictjson.Kind = iota
	kindException
	kindFrame
	kindUser
	kindSDK
	kindTags

	kindBulk = strictjson.LearntKinds // the object around the events
)

// The fields: the members that have a meaning.
const (
	fieldMessage = 1 + strictjson.NoField + iota
	fieldLevel
	fieldEventID
	fieldTimestamp
	fieldFingerprint
	fieldException
	fieldStacktrace
	fieldTags
	fieldUser
	fieldUserContext
	fieldSDK
	fieldSDKName
	fieldSDKVersion
	fieldEnvironment
	fieldRelease
	fieldPlatform
	fieldServerName
	fieldTransaction
	fieldTraceID

	fieldAtTimestamp
	fieldLog
	fieldMsg
	fieldSeverity
	fieldHost

	fieldType
	fieldOlderType
	fieldValue
	fieldModule
	fieldOlderModule

	fieldFilename
	fieldFunction
	fieldOlderFunction
	fieldContextLine
	fieldLineNo
	fieldColNo
	fieldInApp

	fieldID
	fieldEmail

	fieldName
	fieldVersion

	fieldEvents
	fieldSentAt
)

// eventFields maps the name of a member to its field, given the kind of the object.
func eventFields(k strictjson.Kind, name []byte) strictjson.Field {
	switch k {
	case kindEvent:
		return eventField(name)
	case kindException:
		return exceptionField(name)
	case kindFrame:
		return frameField(name)
	case kindUser:
		return userField(name)
	case kindSDK:
		return sdkField(name)
	case kindBulk:
		return bulkField(name)
	}
	return strictjson.NoField
}

func eventField(name []byte) strictjson.Field {
	switch string(name) {
	case "message":
		return fieldMessage
	case "level":
		return fieldLevel
	case "event_id":
		return fieldEventID
	case "timestamp":
		return fieldTimestamp
	case "fingerprint":
		return fieldFingerprint
	case "exception":
		return fieldException
	case "stacktrace":
		return fieldStacktrace
	case "tags":
		return fieldTags
	case "user":
		return fieldUser
	case "user_context":
		return fieldUserContext
	case "sdk":
		return fieldSDK
	case "sdk_name":
		return fieldSDKName
	case "sdk_version":
		return fieldSDKVersion
	case "environment":
		return fieldEnvironment
	case "release":
		return fieldRelease
	case "platform":
		return fieldPlatform
	case "server_name":
		return fieldServerName
	case "transaction":
		return fieldTransaction
	case "trace_id":
		return fieldTraceID
	case "@timestamp":
		return fieldAtTimestamp
	case "log":
		return fieldLog
	case "msg":
		return fieldMsg
	case "severity":
		return fieldSeverity
	case "host":
		return fieldHost
	}
	return strictjson.NoField
}

func exceptionField(name []byte) strictjson.Field {
	switch string(name) {
	case "type":
		return fieldType
	case "type_name":
		return fieldOlderType
	case "value":
		return fieldValue
	case "module":
		return fieldModule
	case "module_name":
		return fieldOlderModule
	}
	return strictjson.NoField
}

func frameField(name []byte) strictjson.Field {
	switch string(name) {
	case "filename":
		return fieldFilename
	case "function":
		return fieldFunction
	case "function_name":
		return fieldOlderFunction
	case "context_line":
		return fieldContextLine
	case "lineno":
		return fieldLineNo
	case "colno":
		return fieldColNo
	case "in_app":
		return fieldInApp
	}
	return strictjson.NoField
}

func userField(name []byte) strictjson.Field {
	switch string(name) {
	case "id":
		return fieldID
	case "email":
		return fieldEmail
	}
	return strictjson.NoField
}

func sdkField(name []byte) strictjson.Field {
	switch string(name) {
	case "name":
		return fieldName
	case "version":
		return fieldVersion
	}
	return strictjson.NoField
}

func bulkField(name []byte) strictjson.Field {
	switch string(name) {
	case "events":
		return fieldEvents
	case "sent_at":
		return fieldSentAt
	}
	return strictjson.NoField
}
