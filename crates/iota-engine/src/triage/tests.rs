use super::*;
use proptest::prelude::*;

const NOW: &str = "2026-01-10T00:00:00Z";
const RECORD: &str = r#"{"eventName":"CreateAccessKey","eventID":"1","recipientAccountId":"111122223333",
    "sourceIPAddress":"10.1.2.3","userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/Deploy/ci"},
    "additionalEventData":{"MFAUsed":"No"},"readOnly":false,"errorCode":null,"count":7,
    "resources":[{"ARN":"arn:aws:s3:::a"},{"ARN":"arn:aws:s3:::b"}]}"#;

fn ms(text: &str) -> i64 {
    crate::event::parse_ms(text).unwrap()
}

fn accounts() -> Accounts {
    Accounts::parse(b"version: 1\naccounts:\n  111122223333: {name: shop-prod, environment: prod}\n").unwrap()
}

fn suppressions(body: &str) -> Result<Vec<Suppression>, String> {
    let text = format!("version: 1\nsuppressions:\n{body}");
    parse_suppressions(text.as_bytes(), ms(NOW), MAX_DAYS).map_err(|error| format!("{}: {}", error.line, error.message))
}

fn one(conditions: &str) -> Result<Vec<Suppression>, String> {
    suppressions(&format!("  - {{id: s, owner: o, reason: r, expires: 2026-06-01, {conditions}}}\n"))
}

fn subject(summary: &Summary, event_ms: i64) -> Subject<'_> {
    Subject {
        pack: "p",
        rule: "aws.iam.key",
        aliases: &[],
        tags: &[],
        record: RECORD.as_bytes(),
        summary,
        event_ms,
        class: &Class::Alert,
        title: "t",
        severity: Severity::High,
        destinations: None,
    }
}

fn class(suppressions: Vec<Suppression>, event: &str, now: &str) -> Class {
    let triage = Triage { suppressions, accounts: accounts(), ..Triage::default() };
    triage.decide(&subject(&Summary::of(RECORD.as_bytes()), ms(event)), ms(now)).class
}

fn hidden(conditions: &str) -> bool {
    class(one(conditions).unwrap(), NOW, NOW) == Class::Suppressed("s".to_owned())
}

#[test]
fn all_conditions_of_a_suppression_have_to_hold() {
    for (conditions, expected) in [
        ("rule: aws.iam.key", true),
        ("rule: [aws.s3.*, aws.iam.*]", true),
        ("rule: aws.iam", false),
        ("account: 111122223333", true),
        ("account: shop-*", true),
        ("account: [sandbox]", false),
        ("actor: Deploy/*", true),
        ("actor: deploy/*", false),
        ("source_ip: 10.0.0.0/8", true),
        ("source_ip: [192.168.0.0/16, 10.1.2.3]", true),
        ("source_ip: ['2001:db8::/32']", false),
        ("fields: {eventName: Create*}", true),
        ("fields: {eventName: [DeleteAccessKey, CreateAccessKey]}", true),
        ("fields: {additionalEventData.MFAUsed: No}", true),
        ("fields: {readOnly: false}", true),
        ("fields: {readOnly: 'false'}", true),
        ("fields: {count: 7}", true),
        ("fields: {count: 8}", false),
        ("fields: {errorCode: null}", true),
        ("fields: {nowhere.at.all: null}", true),
        ("fields: {eventName: null}", false),
        ("fields: {errorCode: [null, AccessDenied]}", true),
        ("fields: {errorCode: AccessDenied}", false),
        ("fields: {resources.ARN: 'arn:aws:s3:::b'}", true),
        ("fields: {resources.ARN: 'arn:aws:s3:::c'}", false),
        ("fields: {userIdentity: x}", false),
        ("rule: aws.iam.*, fields: {eventName: Delete*}", false),
        ("rule: aws.iam.*, actor: Deploy/ci, source_ip: 10.1.2.3/32, fields: {eventName: CreateAccessKey}", true),
    ] {
        assert_eq!(hidden(conditions), expected, "{conditions}");
    }
}

#[test]
fn the_event_decides_when_it_starts_and_the_clock_when_it_ends() {
    let from = |starts: &str| one(&format!("rule: aws.*, starts: {starts}")).unwrap();
    let suppressed = Class::Suppressed("s".to_owned());
    assert_eq!(class(from("2026-01-05"), "2026-01-05T00:00:00Z", NOW), suppressed);
    assert_eq!(class(from("2026-01-05"), "2026-01-04T23:59:59Z", NOW), Class::Alert, "the event came before");
    assert_eq!(class(from("2026-01-05"), "2026-01-06T00:00:00Z", "2026-05-31T23:59:59Z"), suppressed);
    assert_eq!(class(from("2026-01-05"), "2026-01-06T00:00:00Z", "2026-06-01T00:00:00Z"), Class::Alert, "expired meanwhile");
    let [pending, expired] = ["rule: a, starts: 2026-02-01", "rule: a, starts: 2025-01-01"].map(|text| one(text).unwrap());
    assert_eq!(pending[0].in_force(ms(NOW)), InForce::Pending);
    assert_eq!(pending[0].in_force(ms("2026-03-01T00:00:00Z")), InForce::Active);
    assert_eq!(expired[0].in_force(ms("2026-06-01T00:00:00Z")), InForce::Expired);
}

#[test]
fn a_former_id_still_names_the_rule() {
    let triage = Triage { suppressions: one("rule: old.name").unwrap(), ..Triage::default() };
    let (summary, aliases) = (Summary::of(RECORD.as_bytes()), ["old.name".to_owned()]);
    let decision = triage.decide(&Subject { aliases: &aliases, ..subject(&summary, ms(NOW)) }, ms(NOW));
    assert_eq!(decision.class, Class::Suppressed("s".to_owned()));
}

#[test]
fn what_hides_everything_or_nobody_answers_for_is_refused() {
    let everything = "3: suppression `s`: it matches everything; state a rule, account, actor, source_ip or field";
    for conditions in
        ["", "rule: '*'", "actor: '?*', rule: [x, '**']", "source_ip: [10.0.0.0/8, 0.0.0.0/0]", "fields: {eventName: '*'}"]
    {
        assert_eq!(one(conditions).unwrap_err(), everything, "{conditions}");
    }
    let head = "  - id: s\n    rule: a.*\n    owner: o\n";
    for (body, expected) in [
        ("    reason: r\n", "6: key `expires` is missing"),
        ("    expires: 2026-06-01\n", "6: key `reason` is missing"),
        ("    reason: ' '\n    expires: 2026-06-01\n", "6: suppression `s`: `reason` is empty"),
        ("    reason: r\n    expires: 2027-06-01\n", "7: suppression `s`: expires: more than 366 days ahead (suppression_days)"),
        (
            "    reason: r\n    expires: never\n",
            "7: suppression `s`: expires: a time such as 2026-12-31 or 2026-12-31T12:00:00Z was expected",
        ),
        ("    reason: r\n    expires: 2026-06-01\n    starts: 2026-07-01\n", "7: suppression `s`: it expires before it starts"),
        ("    reason: r\n    expires: 2026-06-01\n    acount: 1\n", "8: unknown key `acount`; did you mean `account`?"),
        (
            "    reason: r\n    expires: 2026-06-01\n    source_ip: 10.0.0.0/33\n",
            "8: suppression `s`: source_ip: `10.0.0.0/33` is neither an address nor a network such as 10.0.0.0/8",
        ),
        (
            "    reason: r\n    expires: 2026-06-01\n    fields: {a..b: x}\n",
            "8: suppression `s`: fields: `a..b` is no path such as userIdentity.arn",
        ),
        (
            "    reason: r\n    expires: 2026-06-01\n    fields: {a: {b: x}}\n",
            "8: suppression `s`: fields.a: a value, a pattern, null, or a list of these is expected",
        ),
        (
            "    reason: r\n    expires: 2026-06-01\n    actor: []\n",
            "8: suppressions[0].actor: nothing matches an empty list or text",
        ),
    ] {
        let error = suppressions(&format!("{head}{body}")).unwrap_err();
        assert_eq!(error, expected, "{body}");
    }
    let taken = "  - {id: no-send-before, rule: a, owner: o, reason: r, expires: 2026-02-01}\n";
    assert!(suppressions(taken).unwrap_err().contains("this id stands for alerts that --no-send-before withholds"));
    let twice = "  - {id: s, rule: a, owner: o, reason: r, expires: 2026-02-01}\n".repeat(2);
    assert_eq!(suppressions(&twice).unwrap_err(), "4: suppression `s`: there are two with this id");
}

#[test]
fn overrides_change_severity_and_destinations_by_account() {
    let adjustment: Adjustment = crate::yaml::from_yaml(
        b"severity: CRITICAL\ndestinations: [pager]\nby_account:\n  - {accounts: sandbox-*, severity: LOW, destinations: []}\n  - {environments: prod, severity: MEDIUM}\n",
    )
    .unwrap();
    let decide = |accounts: &str| {
        let triage = Triage {
            accounts: Accounts::parse(format!("version: 1\naccounts: {{111122223333: {accounts}}}\n").as_bytes()).unwrap(),
            routes: Routes::new(vec!["pager".into(), "chat".into()], None),
            adjustments: [("aws.iam.key".to_owned(), adjustment.clone())].into(),
            ..Triage::default()
        };
        let summary = Summary::of(RECORD.as_bytes());
        let subject = Subject { title: "key in {account_name}", ..subject(&summary, 0) };
        let decision = triage.decide(&subject, 0);
        let outputs: Vec<_> = decision.routes.iter().map(|route| route.output.as_str()).collect();
        format!("{} {} {outputs:?}", decision.title, decision.severity)
    };
    assert_eq!(decide("{name: sandbox-1}"), "key in sandbox-1 LOW []");
    assert_eq!(decide("{name: shop, environment: prod}"), "key in shop MEDIUM [\"pager\"]");
    assert_eq!(decide("{name: other}"), "key in other CRITICAL [\"pager\"]");
}

#[test]
fn a_title_without_a_listed_account_has_its_id() {
    let place = Place { id: Some("111122223333"), account: None };
    assert_eq!(titled("root in {account_name}", &place), "root in 111122223333");
    assert_eq!(titled("root in {account_name}", &Place::default()), "root in unknown account");
    assert_eq!(titled(&"{account_name}".repeat(80), &place).chars().count(), 960);
    assert_eq!(titled(&"{account_name}".repeat(100), &place).chars().count(), 1000);
}

proptest! {
    /// Whatever suppressions and routes there are: what is hidden goes nowhere, and what is not hidden goes somewhere.
    #[test]
    fn a_suppressed_match_has_no_route(
        rules in proptest::collection::vec("[a-c*.]{1,4}", 0..4),
        rule in "[a-c.]{1,4}",
        now_days in 0_i64..400,
        destinations in proptest::option::of(proptest::collection::vec("[xy]", 0..3)),
    ) {
        let narrow = (0..).zip(&rules).filter(|(_, rule)| !Globs::new([rule.as_str()]).matches_anything());
        let body = narrow.fold(String::new(), |body, (n, rule)| {
            body + &format!("  - {{id: s{n}, owner: o, reason: r, expires: 2026-06-01, rule: \"{rule}\"}}\n")
        });
        let suppressions = if body.is_empty() { Vec::new() } else { suppressions(&body).unwrap() };
        let triage = Triage { suppressions, routes: Routes::new(vec!["x".into()], None), ..Triage::default() };
        let summary = Summary::of(RECORD.as_bytes());
        let subject = Subject { rule: &rule, destinations: destinations.as_deref(), ..subject(&summary, ms(NOW)) };
        let now = ms(NOW) + now_days * 24 * 60 * 60 * 1000;
        let decision = triage.decide(&subject, now);
        let fits = rules.iter().any(|glob| !Globs::new([glob.as_str()]).matches_anything() && Globs::new([glob.as_str()]).matches(&rule));
        prop_assert_eq!(matches!(decision.class, Class::Suppressed(_)), fits && now < ms("2026-06-01T00:00:00Z"));
        let nowhere = matches!(decision.class, Class::Suppressed(_)) || destinations.as_ref().is_some_and(Vec::is_empty);
        prop_assert_eq!(decision.routes.is_empty(), nowhere);
    }
}
