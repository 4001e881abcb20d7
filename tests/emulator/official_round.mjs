// One round of the official `@anthropic-ai/sdk` against an emulator, as official_round.py does it in Python.
//
//     npm install @anthropic-ai/sdk
//     streamer serve --port 8123 --speed 100 --fill 25 &
//     node official_round.mjs http://127.0.0.1:8123

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

// The SDK is looked for where the command runs, so that this file can stay where it is.
const find = createRequire(join(process.cwd(), "anything.js"));
const entry = find.resolve("@anthropic-ai/sdk");
const { default: Anthropic } = await import(pathToFileURL(entry));

const client = new Anthropic({ apiKey: "test-key", baseURL: process.argv[2], maxRetries: 0 });
const { batches } = client.messages;
const pause = () => new Promise((done) => setTimeout(done, 50));
const params = (more = {}) => ({
  model: "claude-opus-5-5",
  max_tokens: 1024,
  messages: [{ role: "user", content: "Which came first?" }],
  ...more,
});
const requests = [
  { custom_id: "plain", params: params() },
  { custom_id: "thinking", params: params({ max_tokens: 8000, thinking: { type: "enabled", budget_tokens: 2000 } }) },
  { custom_id: "tool", params: params({ tools: [{ name: "lookup", input_schema: { type: "object" } }] }) },
  { custom_id: "wrong", params: params({ max_tokens: -1 }) },
];

async function ended(batch) {
  while (batch.processing_status !== "ended") {
    await pause();
    batch = await batches.retrieve(batch.id);
  }
  return batch;
}

async function records(id) {
  const found = [];
  for await (const record of await batches.results(id)) found.push(record);
  return found;
}

async function refused(call, kind, status, type) {
  await assert.rejects(call, (error) => {
    assert(error instanceof kind, `${error}`);
    assert.equal(error.status, status);
    assert.equal(error.error.error.type, type);
    assert.equal(error.requestID, error.error.request_id);
    return true;
  });
}

// create, poll, results
let batch = await batches.create({ requests });
assert.equal(batch.processing_status, "in_progress");
assert.equal(batch.request_counts.processing, 4);
assert.equal(batch.results_url, null);
batch = await ended(batch);
assert.equal(batch.request_counts.succeeded, 3);
assert.equal(batch.request_counts.errored, 1);
const [plain, thinking, tool, wrong] = await records(batch.id);
assert.equal(plain.result.message.content[0].type, "text");
assert.deepEqual(thinking.result.message.content.map((block) => block.type), ["thinking", "text"]);
assert.equal(tool.result.message.stop_reason, "tool_use");
assert.equal(wrong.result.error.error.type, "invalid_request_error");

// list over three pages, forwards and back
const first = await batches.list({ limit: 10 });
assert.equal(first.data[0].id, batch.id);
const second = await first.getNextPage();
const third = await second.getNextPage();
assert(!third.has_more);
const listed = [];
for await (const one of batches.list({ limit: 10 })) listed.push(one.id);
assert.deepEqual(listed, [first, second, third].flatMap((page) => page.data.map((one) => one.id)));
const back = await batches.list({ limit: 10, before_id: third.data[0].id });
assert.deepEqual(back.data.map((one) => one.id), second.data.map((one) => one.id));

// cancel, delete
let other = await batches.create({ requests });
await refused(() => batches.delete(other.id), Anthropic.BadRequestError, 400, "invalid_request_error");
other = await batches.cancel(other.id);
assert.equal(other.processing_status, "canceling");
other = await ended(other);
const canceled = (await records(other.id)).filter((record) => record.result.type === "canceled").length;
assert(canceled > 0);
assert.equal(other.request_counts.canceled, canceled);
await refused(() => batches.cancel(other.id), Anthropic.BadRequestError, 400, "invalid_request_error");
assert.equal((await batches.delete(other.id)).type, "message_batch_deleted");
await refused(() => batches.retrieve(other.id), Anthropic.NotFoundError, 404, "not_found_error");

// errors
const bad = [[], [requests[0], requests[0]], [{ custom_id: "x".repeat(65), params: params() }]];
for (const one of bad) {
  await refused(() => batches.create({ requests: one }), Anthropic.BadRequestError, 400, "invalid_request_error");
}
const stranger = new Anthropic({ apiKey: "sk-ant-" + "api03-not-a-key", baseURL: process.argv[2], maxRetries: 0 });
await refused(() => stranger.messages.batches.list(), Anthropic.AuthenticationError, 401, "authentication_error");

const folder = entry.slice(0, entry.lastIndexOf(join("@anthropic-ai", "sdk"))) + join("@anthropic-ai", "sdk");
const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
console.log(JSON.stringify({ "@anthropic-ai/sdk": version, listed: listed.length, pages: 3, ok: true }));
