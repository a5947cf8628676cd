/** Takes the developer's own AWS settings out of the tests' environment, config files included. */
for (const name of Object.keys(process.env)) {
  if (name.startsWith("AWS_")) delete process.env[name];
}
process.env.AWS_CONFIG_FILE = "/nonexistent/aws/config";
process.env.AWS_SHARED_CREDENTIALS_FILE = "/nonexistent/aws/credentials";
process.env.AWS_EC2_METADATA_DISABLED = "true";
// AWS's SDK says this once a process on Node 20, which is one of those that are supported here.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
