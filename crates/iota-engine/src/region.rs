//! Names of AWS regions: which texts are some, and what partition one belongs to.

/// More letters than any name of a region has; the longest so far is of 14.
const LONGEST: usize = 40;

/// Has the form of a region's name, `eu-central-1` or `us-gov-east-1`: words and a number, as in the `regionRegex` of every
/// partition in AWS's `partitions.json`. Regions that do not exist yet have it too; nothing that leads elsewhere when it becomes part
/// of a host name has it.
pub fn is_region(text: &str) -> bool {
    let Some((words, number)) = text.rsplit_once('-') else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let letters = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase());
    text.len() <= LONGEST && words.contains('-') && words.split('-').all(letters) && digits(number)
}

/// The partition as ARNs have it. A region of no known other one is of `aws`.
pub fn partition_of(region: &str) -> &'static str {
    const PARTITIONS: [(&str, &str); 7] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ];
    PARTITIONS.iter().find(|(prefix, _)| region.starts_with(prefix)).map_or("aws", |(_, partition)| partition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_regions_are_some() {
        for (region, partition) in [
            ("us-east-1", "aws"),
            ("ap-southeast-7", "aws"),
            ("mx-central-1", "aws"),
            ("cn-northwest-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            assert!(is_region(region), "{region}");
            assert_eq!(partition_of(region), partition, "{region}");
        }
        assert!(is_region("xx-anything-12"), "that may come one day");
        for text in [
            "",
            "-",
            "us",
            "us-1",
            "us-east",
            "us-east-",
            "US-EAST-1",
            "us-east-1.evil.example",
            "evil.example/#us-east-1",
            "us-east-1:80",
            "us-east-1\n",
            "aws-global",
            "eu--1",
            "useast1",
            "us-east-1a",
            "2024",
            "-1",
            "\u{fc}s-east-1",
        ] {
            assert!(!is_region(text), "{text:?}");
        }
    }
}
