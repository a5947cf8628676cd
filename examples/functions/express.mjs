// An Express app as a Lambda function. Nothing in it knows who calls.
import express from "express";
import serverless from "serverless-http";

const app = express();
app.use(express.json(), express.urlencoded({ extended: false }), express.raw({ type: "image/*", limit: "5mb" }));

app.get("/items", (request, response) => {
  response.json({ items: ["tea", "cake"].slice(0, Number(request.query.limit ?? 2)) });
});

app.post("/items", (request, response) => {
  response
    .status(201)
    .location("/items/42")
    .json({ id: 42, ...request.body });
});

app.put("/picture", (request, response) => {
  response.type(request.get("content-type")).send(request.body);
});

app.get("/login", (_request, response) => {
  response.cookie("session", "abc123", { httpOnly: true }).cookie("theme", "dark").send("Welcome!\n");
});

app.get("/account", (request, response) => {
  response.redirect(`https://${request.get("host")}/account/cookies`);
});

app.get("/account/cookies", (request, response) => {
  response.json({ cookie: request.get("cookie") });
});

// Without `binary`, serverless-http would send a picture as text, and damage it.
export const handler = serverless(app, { binary: ["image/*", "application/octet-stream"] });
