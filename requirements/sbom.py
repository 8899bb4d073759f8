"""Writes dist/pgheadroom.cdx.json, a CycloneDX list of the locked packages.

That is what the image's first stage installs. What its base is made of is the base's to say.
"""

from __future__ import annotations

from pathlib import Path

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL
from requirements.licenses import PAGE
from requirements.locked import Locked, locked

from pgheadroom import __version__

FILE = Path(__file__).parents[1] / "dist" / "pgheadroom.cdx.json"


def bom() -> Bom:
    """Return pgheadroom and all that it needs on Linux."""
    whole = Component(
        name="pgheadroom",
        version=__version__,
        type=ComponentType.APPLICATION,
        bom_ref=f"pgheadroom=={__version__}",
    )
    page, version = PAGE.split()
    url = PackageURL("npm", name=page.lower(), version=version)
    parts = [_component(package) for package in locked() if package.on_linux]
    parts.append(Component(name=page, version=version, purl=url, bom_ref=str(url)))
    made = Bom(components=parts)
    made.metadata.component = whole
    made.register_dependency(whole, parts)
    return made


def _component(package: Locked) -> Component:
    url = PackageURL("pypi", name=package.name, version=package.version)
    # The hashes are those of the files to choose from, so they belong to where those are.
    files = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(str(url)),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=found) for found in package.sha256],
    )
    return Component(
        name=package.name,
        version=package.version,
        purl=url,
        bom_ref=str(url),
        external_references=[files],
    )


def main() -> None:
    """Write the file."""
    FILE.parent.mkdir(exist_ok=True)
    output = make_outputter(bom(), OutputFormat.JSON, SchemaVersion.V1_6)
    output.output_to_file(str(FILE), allow_overwrite=True, indent=2)


if __name__ == "__main__":
    main()
