// Node.js functions for the tests of execution environments, as CommonJS.
const { basename } = require("node:path");

exports.handler = async (event) => ({ file: basename(__filename), event });
exports.other = (_event, _context, callback) => callback(null, "other");
