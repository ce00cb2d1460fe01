package format

import "sluice/internal/strictjson"

// The kinds of objects in Sentry's items. The scanner learns the order of members of the first eight.
const (
	sentryKindItem strictjson.Kind = iota
	sentryKindException
	sentryKindFrame
	sentryKindContexts
	sentryKindTrace
	sentryKindAttributes
	sentryKindAttribute
	sentryKindUser

	sentryKindSDK
	sentryKindMessage
	sentryKindStacktrace
	sentryKindThread
	sentryKindFeedback
	sentryKindTags
	sentryKindPair
)

// The fields of Sentry's items.
const (
	sentryEventID = 1 + strictjson.NoField + iota
	sentryTimestamp
	sentryStart
	sentryEnd
	sentryLevel
	sentryType
	sentryPlatform
	sentryRelease
	sentryEnvironment
	sentryServerName
	sentryTransaction
	sentryLogentry
	sentryMessage
	sentryFormatted
	sentryFingerprint
	sentryException
	sentryThreads
	sentryStacktrace
	sentryUser
	sentrySDK
	sentryTags
	sentryContexts
	sentryAttributesOf
	sentryTraceID
	sentrySpanID
	sentryName
	sentryOp
	sentryDescription
	sentrySeverity
	sentryBody

	sentryValue
	sentryValues
	sentryModule
	sentryFrames
	sentryFilename
	sentryAbsPath
	sentryFunction
	sentryRawFunction
	sentryInApp
	sentryCrashed
	sentryCurrent
	sentryTrace
	sentryFeedback
	sentryContactEmail
	sentryID
	sentryEmail
	sentryVersion
	sentryKey

	sentryUserID
	sentryUserEmail
	sentrySDKName
	sentrySDKVersion
)

// sentryNames maps the names of members to their fields, by the kind of the object. Names with sentry.interfaces are
// those of old clients.
var sentryNames = [...]map[string]strictjson.Field{
	sentryKindItem: {
		"event_id": sentryEventID, "timestamp": sentryTimestamp, "start_timestamp": sentryStart,
		"end_timestamp": sentryEnd, "level": sentryLevel, "type": sentryType, "platform": sentryPlatform,
		"release": sentryRelease, "environment": sentryEnvironment, "server_name": sentryServerName,
		"transaction": sentryTransaction, "logentry": sentryLogentry, "sentry.interfaces.Message": sentryLogentry,
		"message": sentryMessage, "fingerprint": sentryFingerprint, "exception": sentryException,
		"sentry.interfaces.Exception": sentryException, "threads": sentryThreads, "stacktrace": sentryStacktrace,
		"sentry.interfaces.Stacktrace": sentryStacktrace, "user": sentryUser, "sentry.interfaces.User": sentryUser,
		"sdk": sentrySDK, "tags": sentryTags, "contexts": sentryContexts, "attributes": sentryAttributesOf,
		"data": sentryAttributesOf, "trace_id": sentryTraceID, "span_id": sentrySpanID, "name": sentryName,
		"op": sentryOp, "description": sentryDescription, "severity_number": sentrySeverity, "body": sentryBody,
	},
	sentryKindException: {
		"type": sentryType, "value": sentryValue, "module": sentryModule, "stacktrace": sentryStacktrace,
		"values": sentryValues,
	},
	sentryKindFrame: {
		"filename": sentryFilename, "abs_path": sentryAbsPath, "module": sentryModule, "function": sentryFunction,
		"raw_function": sentryRawFunction, "in_app": sentryInApp,
	},
	sentryKindContexts: {"trace": sentryTrace, "feedback": sentryFeedback},
	sentryKindTrace:    {"trace_id": sentryTraceID},
	sentryKindAttributes: {
		"user.id": sentryUserID, "user.email": sentryUserEmail, "sentry.release": sentryRelease,
		"sentry.environment": sentryEnvironment, "server.address": sentryServerName,
		"sentry.server.address": sentryServerName,
		"sentry.segment.name":   sentryTransaction, "sentry.sdk.name": sentrySDKName,
		"sentry.sdk.version": sentrySDKVersion,
	},
	sentryKindAttribute:  {"value": sentryValue},
	sentryKindUser:       {"id": sentryID, "email": sentryEmail},
	sentryKindSDK:        {"name": sentryName, "version": sentryVersion},
	sentryKindMessage:    {"formatted": sentryFormatted, "message": sentryMessage},
	sentryKindStacktrace: {"frames": sentryFrames},
	sentryKindThread: {
		"stacktrace": sentryStacktrace, "crashed": sentryCrashed, "current": sentryCurrent, "values": sentryValues,
	},
	sentryKindFeedback: {"message": sentryMessage, "contact_email": sentryContactEmail},
	sentryKindTags:     {},
	sentryKindPair:     {"key": sentryKey, "value": sentryValue},
}

// sentryField maps the name of a member to its field.
func sentryField(kind strictjson.Kind, name []byte) strictjson.Field {
	if int(kind) >= len(sentryNames) {
		return strictjson.NoField
	}
	return sentryNames[kind][string(name)]
}
