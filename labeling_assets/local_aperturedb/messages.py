"""Every text that a client can read. Those marked "real" are the words of an ApertureDB server."""

from typing import Final

# Sessions.
NOT_AUTHENTICATED: Final = "Not Authenticated!"  # real; clients compare it
BAD_CREDENTIALS: Final = "Authentication failed: unknown user, password or token"
BAD_REFRESH_TOKEN: Final = "Refresh token is unknown or expired"
ONE_CREDENTIAL: Final = "expected either password or token"
LOGIN_ALONE: Final = "{command} must be the only command of its query"

# Messages and queries.
MESSAGE_TOO_LARGE: Final = "Message of {size} bytes is larger than the limit of {limit} bytes"
ANSWER_TOO_LARGE: Final = "Response of more than {limit} bytes is larger than allowed"
MALFORMED_MESSAGE: Final = "Malformed message: not a query message"
MALFORMED_JSON: Final = "Malformed JSON: {reason}"
JSON_TOO_DEEP: Final = "Malformed JSON: nested too deep"
NOT_A_QUERY: Final = "A query is an array of commands but got {got}"
EMPTY_QUERY: Final = "A query needs at least one command"
NOT_A_COMMAND: Final = "a command is an object with one key but got {got}"
UNKNOWN_COMMAND: Final = 'unknown command "{command}"'
UNSUPPORTED_COMMAND: Final = 'command "{command}" is not supported by the local server'
BLOB_COUNT: Final = "Expected blobs: {expected}. Received blobs: {received}"  # real
INTERNAL: Final = "Internal Server Error"
STORAGE: Final = "The storage refused the query: {reason}"

# REST.
SERVER_NAME: Final = "labeling_assets local ApertureDB"
REST_PATH: Final = "queries go to /api/"
REST_LENGTH: Final = "a request needs the header Content-Length, and no Transfer-Encoding"
REST_FORM: Final = "a query is a multipart/form-data with a part query and a part blobs for each blob"
REST_PART: Final = 'unknown part "{name}" of the form: expected query or blobs'
REST_QUERIES: Final = "expected one part query of the form but got {got}"
MALFORMED_MULTIPART: Final = "Malformed multipart/form-data"

# Arguments.
EXPECTED: Final = "expected {wanted} but got {got}"
UNKNOWN_PARAMETER: Final = 'unknown parameter "{name}"'
UNSUPPORTED_PARAMETER: Final = "not supported by the local server"
MISSING_PARAMETER: Final = 'missing parameter "{name}"'
ONE_OF: Final = "expected exactly one of {names}"
NEEDS_ONE_OF: Final = "needs at least one of {names}"
NOT_TOGETHER: Final = "{names} cannot be used together"
NOT_A_NAME: Final = '"{name}" is not a valid name (letters, digits, _ and -, at most 64, a letter first)'
UNKNOWN_SYSTEM_CLASS: Final = '"{name}" is not a system class'
NOT_A_DATE: Final = '"{text}" is not a date (ISO 8601)'
NOT_UNICODE: Final = "text is not valid Unicode"
NESTED_TOO_DEEP: Final = "nested too deep (limit {limit})"
TOO_MANY_TERMS: Final = "too many comparisons (limit {limit})"

# Properties and constraints.
PROPERTY_VALUE: Final = 'property "{name}": expected a number, string, boolean or {{"_date": ...}} but got {got}'
PROPERTY_TYPE: Final = 'property "{name}" of class "{class_name}" is of type {known} but got {got}'
UNKNOWN_SYSTEM_PROPERTY: Final = 'system property "{name}" is unknown or not supported here'
SET_AND_REMOVED: Final = 'property "{name}" is both set and removed'
NOT_NUMERIC: Final = 'property "{name}" is of type {known}, not Number'
UNKNOWN_OPERATOR: Final = 'unknown operator "{operator}"'
UNKNOWN_FUNCTION: Final = 'unknown function "{name}" in a constraint'
BAD_EXPRESSION: Final = 'expected ["$property", operator, value], ["all", ...] or ["any", ...] but got {got}'
BAD_OPERATIONS: Final = '"{name}": expected [operator, value, ...] but got {got}'
NULL_OPERATOR: Final = 'null can only be compared with == and != but got "{operator}"'
BAD_LIST: Final = '"{operator}" needs an array of values but got {got}'
LIST_OPERATOR: Final = 'an array needs the operator "in" or "not in" but got "{operator}"'
UNORDERED: Final = '"{name}" cannot be compared with "{operator}"'

# References and objects.
NOT_UNIQUE: Final = "expecting 1 but got {got}"  # real
REFERENCE_USED: Final = "reference {number} is already used"
REFERENCE_UNDEFINED: Final = "reference {number} is not defined"
REFERENCE_EMPTY: Final = "reference {number} holds no object"
REFERENCE_GONE: Final = "reference {number} holds an object that was deleted"
REFERENCE_KIND: Final = "reference {number} holds something else than {wanted}"
OBJECT_EXISTS: Final = "Object Exists!"  # real
IMAGE_EXISTS: Final = "Image exists!"  # real
ONE_SOURCE: Final = "group_by_source needs exactly one source"
NO_BATCH: Final = "there is no batch {number}, only {parts} numbered from 0"
GIVEN_TWICE: Final = "{name} is given both in the command and in results"

# Indexes.
INDEX_EXISTS: Final = "Index already exists"
INDEX_MISSING: Final = 'there is no {kind} index of "{class_name}"."{name}"'
INDEX_BUILT_IN: Final = "built-in indexes cannot be removed"

# Images and regions.
BAD_IMAGE: Final = "blob is not a readable image: {reason}"
IMAGE_FORMAT: Final = "image format {got} is not supported"
EMPTY_RECTANGLE: Final = "rectangle has no area"
RECTANGLE_OUTSIDE: Final = "rectangle {rectangle} is not inside the image of {width} x {height} pixels"
POLYGON_VERTICES: Final = "polygon {part} needs at least 3 vertices but got {got}"
POLYGON_EMPTY: Final = "polygon {part} has no area"
POLYGON_CROSSES: Final = "the boundary of polygon {part} crosses itself"
POLYGON_OVERLAP: Final = "polygons {first} and {second} overlap"
POLYGON_OUTSIDE: Final = "polygon {part} is not inside the image of {width} x {height} pixels"
NO_IMAGE: Final = "region has no image to cut from"

# Operations on images.
UNKNOWN_OPERATION: Final = 'unknown operation "{name}"'
UNSUPPORTED_OPERATION: Final = 'operation "{name}" is not supported by the local server'
CROP_OUTSIDE: Final = "crop {rectangle} is not inside the image of {width} x {height} pixels"
RESIZE_TO: Final = 'resize needs either "scale", or "width" or "height" or both'
TOO_MANY_PIXELS: Final = "an image of {width} x {height} pixels is too large"

# Videos, clips and frames.
NOT_A_TIME: Final = '"{text}" is not a time (hh:mm:ss.uuuuuu)'
EMPTY_RANGE: Final = "start {start} is after stop {stop}"
VIDEO_OUTSIDE: Final = "{position} is not inside the video of {frames} frames"
NO_VIDEO: Final = "frame has no readable video"
NO_FRAME: Final = "frame {number} cannot be decoded"

# Descriptors.
NO_SET: Final = 'there is no descriptor set "{name}"'
SET_TOO_NEW: Final = 'descriptor set "{name}" was made in this query and can be used in the next one'
VECTOR_SIZE: Final = "descriptor of {got} bytes is not {dimensions} numbers of 32 bits"
VECTOR_VALUE: Final = "descriptor holds a number that is not finite"
UNKNOWN_METRIC: Final = 'descriptor set "{name}" has no metric "{metric}"'
NEEDS_SET: Final = "k_neighbors needs a set"
NEEDS_NEIGHBORS: Final = "{name} needs k_neighbors"
