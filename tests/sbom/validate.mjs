/* Validates a CycloneDX document, and the package URLs of a CycloneDX or SPDX document, on standard input.
 * Prints {"errors": […], "packages": [{"name", "version", "arch", "namespace", "distro"}, …]}: what the
 * package URLs say. */
import { readFileSync } from "node:fs";
import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import packageurl from "packageurl-js";

const text = readFileSync(0, "utf8");
const document = JSON.parse(text);
let errors = [];
if (document.bomFormat)
	errors = await new Validation.JsonStrictValidator(Spec.Version.v1dot5).validate(text) ?? [];
const urls = document.bomFormat
	? document.components.map((one) => one.purl)
	: document.packages.flatMap((one) => one.externalRefs ?? []).map((one) => one.referenceLocator);
const packages = urls.map((url) => {
	const parsed = packageurl.PackageURL.fromString(url);
	return {
		type: parsed.type,
		namespace: parsed.namespace,
		name: parsed.name,
		version: parsed.version,
		arch: parsed.qualifiers.arch,
		distro: parsed.qualifiers.distro,
	};
});
console.log(JSON.stringify({ errors, packages }));
