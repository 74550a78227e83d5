// Teams' cards through Microsoft's own reader of Adaptive Cards, as a client would read them.
const fs = require("node:fs");
const path = require("node:path");
const cards = require(path.join(process.env.CHECKS, "node_modules/adaptivecards/dist/adaptivecards.js"));

// learn.microsoft.com, "Limits and specifications for Microsoft Teams": a message by webhook.
const MAX_BYTES = 28 * 1024;

function problems(message) {
  const found = [];
  if (Buffer.byteLength(JSON.stringify(message)) > MAX_BYTES) found.push("over 28 KB");
  const card = message?.attachments?.[0]?.content;
  if (message?.type !== "message" || card?.type !== "AdaptiveCard") return [...found, "no card in a message"];
  const context = new cards.SerializationContext(cards.Versions.latest);
  const read = new cards.AdaptiveCard();
  read.parse(card, context);
  for (let index = 0; index < context.eventCount; index++) found.push(context.getEventAt(index).message);
  for (const object of read.validateProperties().validationEvents) found.push(object.message);
  if (read.getItemCount() === 0) found.push("an empty card");
  // What a phone's notification shows, and what clients show that can't show the card.
  if (!card.fallbackText && !message.summary) found.push("no text for notifications");
  return found;
}

const message = (body, more) => ({
  type: "message",
  summary: "x",
  attachments: [{ content: { type: "AdaptiveCard", version: "1.5", body, ...more } }],
});
const text = { type: "TextBlock", text: "x" };
const wrong = [
  ["no card", { type: "message" }],
  ["an unknown element", message([{ type: "TextBlok", text: "x" }])],
  ["a weight that is none", message([{ ...text, weight: "Fat" }])],
  ["a link without an address", message([text], { actions: [{ type: "Action.OpenUrl", title: "x" }] })],
  ["an empty card", message([])],
  ["no text for notifications", { ...message([text]), summary: undefined }],
  ["too much", message([{ ...text, text: "x".repeat(MAX_BYTES) }])],
];

const failures = wrong.filter(([, body]) => problems(body).length === 0).map(([why]) => `not noticed: ${why}`);
const folder = process.argv[2];
const files = fs.existsSync(folder) ? fs.readdirSync(folder).filter((name) => name.endsWith(".json")) : [];
if (files.length === 0) failures.push(`no messages in ${folder}`);
for (const name of files) {
  const body = JSON.parse(fs.readFileSync(path.join(folder, name), "utf8"));
  failures.push(...problems(body).map((problem) => `${name}: ${problem}`));
}
for (const failure of failures) console.error(failure);
console.log(`${files.length} messages, ${wrong.length} that have to be noticed, ${failures.length} problems`);
process.exit(failures.length === 0 ? 0 : 1);
