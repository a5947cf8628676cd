// A module whose default export is the handler, for the tests of execution environments.
export default async (event) => ({ default: event });
