// One import and one call, in a process that has loaded nothing else: not even what the others have in job.mjs.
const { contestant, endpoint } = JSON.parse(process.argv[2]);
const begin = performance.now();
const { prepare } = await import(contestant);
const imported = performance.now();
const client = await prepare(endpoint);
const answer = await client.get("orders");
const end = performance.now();
const cpu = process.cpuUsage();
if (answer.items[0].sku !== "A-1") throw new Error("a wrong answer");
const { peakMemory, report } = await import("./job.mjs");
report({
  ...{ import: imported - begin, cold: end - begin, memory: peakMemory() },
  cpu: (cpu.user + cpu.system) / 1000,
});
