"""The hosts of a private registry of Amazon ECR: several names, one account and region.

https://docs.aws.amazon.com/general/latest/gr/ecr.html
https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-requests.html
https://github.com/fluxcd/pkg/blob/main/auth/aws/provider.go (registryPattern)
"""

from __future__ import annotations

import re

_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z]{2,8}(?:-[a-z0-9]{1,16}){1,4}")

_DOMAIN = "amazonaws.com"
_DOMAINS = {
    "cn-": "amazonaws.com.cn",
    "eusc-": "amazonaws.eu",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "eu-isoe-": "cloud.adc-e.uk",
    "us-isof-": "csp.hci.ic.gov",
}
"""The domain of each partition but the first, by what its regions begin with.

https://github.com/boto/botocore/blob/develop/botocore/data/partitions.json (dnsSuffix)
"""

_DUAL_STACK = ("on.aws", "on.amazonwebservices.com.cn", "on.amazonwebservices.eu")
_ANY_DOMAIN = "|".join(map(re.escape, (_DOMAIN, *_DOMAINS.values(), *_DUAL_STACK)))
_HOST = re.compile(
    rf"({_ACCOUNT.pattern})\.dkr[.-]ecr(?:-fips)?\.({_REGION.pattern})\.(?:{_ANY_DOMAIN})"
)


def ecr_host(account: str, region: str) -> str | None:
    """The ordinary name of the registry's host; None for what is no account or no region."""
    if not _ACCOUNT.fullmatch(account) or not _REGION.fullmatch(region):
        return None
    domains = (domain for prefix, domain in _DOMAINS.items() if region.startswith(prefix))
    return f"{account}.dkr.ecr.{region}.{next(domains, _DOMAIN)}"


def ecr_registry(host: str) -> tuple[str, str] | None:
    """Account and region of a host of ECR, by any of its names; None for another host."""
    found = _HOST.fullmatch(host)
    return (found[1], found[2]) if found else None


def ordinary_host(host: str) -> str:
    """The ordinary name of a host of ECR, which is the one that events tell; others as they are."""
    registry = ecr_registry(host)
    return (ecr_host(*registry) if registry else None) or host
