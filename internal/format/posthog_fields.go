package format

import "sluice/internal/strictjson"

// posthogTags are the properties that become tags, under their own names.
var posthogTags = [...]string{"$current_url", "$pathname", "$host", "$browser", "$os", "$device_type", "$session_id"}

// The kinds of objects in an item.
const (
	posthogItem strictjson.Kind = iota
	posthogProperties
	posthogPerson
	posthogException
	posthogTrace
	posthogFrame
)

// The members of an item that mean something. Those of posthogTags follow, in order.
const (
	posthogEvent = 1 + strictjson.NoField + iota
	posthogUUID
	posthogInsertID
	posthogTimestamp
	posthogDistinctID
	posthogPropertiesOf
	posthogSet
	posthogSetOnce
	posthogEmail
	posthogAppVersion
	posthogLib
	posthogLibVersion
	posthogLevel
	posthogExceptions
	posthogOlderType
	posthogOlderValue
	posthogType
	posthogValue
	posthogModule
	posthogTraceOf
	posthogFrames
	posthogFilename
	posthogAbsPath
	posthogFunction
	posthogInApp

	posthogFirstTag
)

// posthogField maps the names of members to fields, by the kind of the object.
var posthogField = [...]map[string]strictjson.Field{
	posthogItem: {
		"event": posthogEvent, "uuid": posthogUUID, "timestamp": posthogTimestamp,
		"distinct_id": posthogDistinctID, "$distinct_id": posthogDistinctID,
		"properties": posthogPropertiesOf, "$set": posthogSet, "$set_once": posthogSetOnce,
	},
	posthogProperties: {
		"distinct_id": posthogDistinctID, "$insert_id": posthogInsertID, "$time": posthogTimestamp,
		"$set": posthogSet, "$set_once": posthogSetOnce, "email": posthogEmail, "$email": posthogEmail,
		"$app_version": posthogAppVersion, "$lib": posthogLib, "$lib_version": posthogLibVersion,
		"$exception_level": posthogLevel, "$level": posthogLevel,
		"$exception_list": posthogExceptions, "$exception_type": posthogOlderType,
		"$exception_message": posthogOlderValue,
	},
	posthogPerson: {"email": posthogEmail, "$email": posthogEmail},
	posthogException: {
		"type": posthogType, "value": posthogValue, "module": posthogModule, "stacktrace": posthogTraceOf,
	},
	posthogTrace: {"frames": posthogFrames},
	posthogFrame: {
		"filename": posthogFilename, "abs_path": posthogAbsPath, "module": posthogModule,
		"function": posthogFunction, "in_app": posthogInApp,
	},
}

func init() {
	for i, name := range posthogTags {
		posthogField[posthogProperties][name] = posthogFirstTag + strictjson.Field(i)
		posthogTagKeys[i] = fixed(name)
	}
}
