// A reporter of node's test runner that leaves "PASSED FAILED" for tests/live/run. Skipped is failed.
export default async function* counts(events) {
  let passed = 0;
  let failed = 0;
  for await (const { type, data } of events) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    // A suite counts through its tests, unless it broke by itself.
    if (data.details.type === "suite" && data.details.error?.failureType !== "hookFailed") continue;
    if (type === "test:pass" && data.skip === undefined && data.todo === undefined) passed += 1;
    else failed += 1;
  }
  yield `${passed} ${failed}\n`;
}
