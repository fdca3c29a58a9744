// undici only says `assert(condition)`. Node's own loads what paints differences of values, and with that opens standard error.
module.exports = function assert(condition, message = "undici: an assertion failed") {
  if (!condition) throw typeof message === "string" ? new Error(message) : message;
};
