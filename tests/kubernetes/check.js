/* Checks Kubernetes objects, a JSON array on standard input, against the published schema. Prints an array
 * of complaints for each. The schema allows unknown fields, but the API server refuses or drops them: a field
 * that the schema's check never looks at is one. */
"use strict";
const { readFileSync } = require("node:fs");
const { dirname } = require("node:path");

// By path, because the package exports only models, which check a copy of their data.
const SCHEMAS = `${dirname(require.resolve("kubernetes-models"))}/_schemas`;
const KINDS = { "batch/v1 Job": "IoK8sApiBatchV1Job" };

/* Returns a copy of VALUE that adds the fields that are read to SEEN. */
function watched(value, path, seen) {
	if (value === null || typeof value !== "object")
		return value;
	const copy = Array.isArray(value) ? [] : {};
	for (const key of Object.keys(value))
		copy[key] = watched(value[key], `${path}/${key}`, seen);
	return new Proxy(copy, {
		get(target, key) {
			seen.add(`${path}/${String(key)}`);
			return Reflect.get(target, key);
		},
	});
}

function fields(value, path = "") {
	if (value === null || typeof value !== "object")
		return [];
	return Object.keys(value).flatMap((key) => {
		const below = `${path}/${key}`;
		return [below, ...fields(value[key], below)];
	});
}

function complaints(object) {
	const kind = KINDS[`${object.apiVersion} ${object.kind}`];
	if (!kind)
		return [`unknown kind: ${object.apiVersion} ${object.kind}`];
	const { validate } = require(`${SCHEMAS}/${kind}.js`);
	const seen = new Set();
	if (!validate(watched(object, "", seen)))
		return validate.errors.map((one) => `${one.instancePath}: ${JSON.stringify(one.params)}`);
	return fields(object).filter((path) => !seen.has(path)).map((path) => `${path}: unknown field`);
}

console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(complaints)));
