// A reporter of node's test runner that leaves "PASSED FAILED" for tests/live/run. Skipped is failed.
export default async function* counts(events) {
  let passed = 0;
  let failed = 0;
  for await (const { type, data } of events) {
    const isTest = data.details?.type !== "suite";
    if (type === "test:pass" && isTest && data.skip === undefined && data.todo === undefined) passed += 1;
    else if (type === "test:fail" || (type === "test:pass" && isTest)) failed += 1;
  }
  yield `${passed} ${failed}\n`;
}
