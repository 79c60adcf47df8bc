//! Peers whose groups are looked up before the decision: nothing is told to anybody before the answer.

use std::sync::Arc;
use std::sync::Mutex;

use portreeve::eap::Inner;
use portreeve::eap::Outer;
use portreeve::eap::Principal;
use portreeve::eap::TlsVersion;
use portreeve::inventory::Update;
use portreeve::inventory::UserReport;
use portreeve::model::ComplianceState;
use portreeve::model::Proof;
use portreeve::model::Secret;
use portreeve::model::UserId;
use portreeve::model::Verdict;
use portreeve::network::Answer;
use portreeve::network::Check;
use portreeve::network::Inquiry;
use portreeve::network::Job;
use portreeve::network::LookUp;
use portreeve::network::MAX_INQUIRIES;
use portreeve::network::Passwords;
use portreeve::network::Why;
use portreeve::probe::InsideSettings;
use portreeve::probe::Profile;
use portreeve::probe::TeapPeer;
use portreeve::radius::AttributeType;
use portreeve::radius::Code;

use crate::lab::ALICE;
use crate::lab::AUTHENTICATION;
use crate::lab::GOOD;
use crate::lab::GOOD_MAC;
use crate::lab::Lab;
use crate::lab::refusal;
use crate::lab::verdict;
use crate::pair::End;
use crate::pair::Next;
use crate::pair::Pair;
use crate::pki::Device;

/// A directory that is asked about every certificate and gives this answer; `None` once it has been
/// asked of late.
#[derive(Debug)]
struct Library {
    answer: Mutex<Option<Answer>>,
    machine: Option<Arc<str>>,
}

impl Passwords for Library {
    fn check(&self, _: &str, _: &Proof<'_>) -> Check {
        Check::Elsewhere(Inquiry::new(std::future::pending()))
    }

    fn look_up(&self, _: &Principal) -> LookUp {
        let answer = self.answer.lock().unwrap().clone();
        LookUp {
            machine: self.machine.clone(),
            inquiry: answer.map(|answer| Inquiry::new(std::future::ready(answer))),
        }
    }
}

fn lab(answer: Answer) -> (Lab, Arc<Library>) {
    let lab = Lab::new();
    let library = Arc::new(Library {
        answer: Mutex::new(Some(answer)),
        machine: None,
    });
    asks(&lab, &library);
    (lab, library)
}

fn asks(lab: &Lab, library: &Arc<Library>) {
    let library = Arc::clone(library);
    lab.reload(|settings| settings.passwords = library);
}

fn accepted() -> Answer {
    Answer::Accepted(None)
}

/// Logs in until the directory is asked; gives the request that waits and the question.
fn up_to_the_question(lab: &mut Lab, pair: &mut Pair) -> (Vec<u8>, Job) {
    let mut request = pair.request();
    for _ in 0..20 {
        let now = lab.now;
        lab.servers[0].handle_datagram(now, AUTHENTICATION, pair.nas.address, &request);
        while let Some(job) = lab.servers[0].poll_job() {
            if job.is_inquiry() {
                assert_eq!(lab.take_sent(0), [], "nothing is said before the answer");
                return (request, job);
            }
            let done = job.run(|| now);
            lab.servers[0].handle_job(now, done);
        }
        let sent = lab.take_sent(0);
        let reply = pair.nas.believe(&request, &sent[0].octets);
        match pair.take(now, reply) {
            Next::Request(next) => request = next,
            Next::End(end) => panic!("ended without a question: {end:?}"),
        }
    }
    panic!("the directory is never asked");
}

/// The directory answers; the login goes on to its end.
fn go_on(lab: &mut Lab, pair: &mut Pair, request: &[u8], job: Job) -> End {
    let now = lab.now;
    let done = job.run(|| now);
    lab.servers[0].handle_job(now, done);
    let sent = lab.settle();
    assert_eq!(sent.len(), 1, "one reply to one request");
    let reply = pair.nas.believe(request, &sent[0].octets);
    match pair.take(lab.now, reply) {
        Next::Request(next) => lab.go_on(pair, next),
        Next::End(end) => end,
    }
}

/// A login of the good device by either version of TLS.
fn pairs(lab: &Lab) -> [Pair; 2] {
    [TlsVersion::Tls13, TlsVersion::Tls12].map(|version| {
        let mut settings = lab.profile_settings(GOOD);
        (settings.lowest, settings.highest) = (version, version);
        lab.pair_of(&Arc::new(Profile::build(settings).unwrap()))
    })
}

#[test]
fn what_a_directory_has_said_is_in_the_decision_that_waits_for_it() {
    let (mut lab, library) = lab(accepted());
    for mut pair in pairs(&lab) {
        let (request, job) = up_to_the_question(&mut lab, &mut pair);
        // The NAS asks again, and hears nothing.
        let now = lab.now;
        lab.servers[0].handle_datagram(now, AUTHENTICATION, pair.nas.address, &request);
        assert_eq!(lab.take_sent(0), []);
        let end = go_on(&mut lab, &mut pair, &request, job);
        end.accepted(&pair.nas);
        assert_eq!(verdict(&lab.record()), Verdict::Allow);
    }
    // What is known well enough waits for nobody.
    *library.answer.lock().unwrap() = None;
    for mut pair in pairs(&lab) {
        lab.login(&mut pair).accepted(&pair.nas);
    }
}

#[test]
fn whoever_is_blocked_by_it_gets_no_sign_of_success_and_no_ticket_rfc9190_2_5() {
    for number in 0..2 {
        let (mut lab, _) = lab(accepted());
        let [first, second] = pairs(&lab);
        let mut pair = if number == 0 { first } else { second };
        let (request, job) = up_to_the_question(&mut lab, &mut pair);
        // What is learned with the answer takes the device out of favour.
        lab.judged(GOOD, GOOD_MAC, ComplianceState::NonCompliant);
        let end = go_on(&mut lab, &mut pair, &request, job);
        assert_eq!(end.rejected().code, Code::AccessReject);
        let report = pair.report();
        assert!(!report.indicated, "row {number}");
        assert_eq!(verdict(&lab.record()), Verdict::Block, "row {number}");
        assert_eq!(lab.resumption.len(), 0, "row {number}");
    }
}

#[test]
fn a_ticket_is_looked_up_like_a_certificate() {
    let (mut lab, library) = lab(accepted());
    let mut settings = lab.profile_settings(GOOD);
    settings.remembered = 8;
    let profile = Arc::new(Profile::build(settings).unwrap());
    *library.answer.lock().unwrap() = None;
    let mut pair = lab.pair_of(&profile);
    lab.login(&mut pair).accepted(&pair.nas);
    lab.records();
    *library.answer.lock().unwrap() = Some(accepted());
    let mut pair = lab.pair_of(&profile);
    let (request, job) = up_to_the_question(&mut lab, &mut pair);
    lab.judged(GOOD, GOOD_MAC, ComplianceState::NonCompliant);
    go_on(&mut lab, &mut pair, &request, job).rejected();
    assert!(pair.report().resumed);
    assert_eq!(verdict(&lab.record()), Verdict::Block);
}

#[test]
fn whoever_cannot_be_looked_up_is_refused_or_not_answered_and_it_is_on_record() {
    for (answer, drops, answers) in [
        (Answer::Refused(Why::new("two of that name")), true, true),
        (
            Answer::Unavailable(Why::new("nobody is there")),
            false,
            true,
        ),
        (
            Answer::Unavailable(Why::new("nobody is there")),
            true,
            false,
        ),
    ] {
        let row = format!("row {answer:?} {drops}");
        let why = match &answer {
            Answer::Refused(why) | Answer::Unavailable(why) => *why,
            Answer::Accepted(_) | Answer::Unsuited => unreachable!("no row"),
        };
        let (mut lab, library) = lab(answer);
        lab.configure(|config| config.reject_when_unavailable = !drops);
        asks(&lab, &library);
        let mut pair = lab.pair(GOOD);
        let (request, job) = up_to_the_question(&mut lab, &mut pair);
        let now = lab.now;
        let done = job.run(|| now);
        lab.servers[0].handle_job(now, done);
        let sent = lab.settle();
        assert_eq!(sent.len(), usize::from(answers), "{row}");
        let record = lab.record();
        assert_eq!(refusal(&record), why.as_str(), "{row}");
        assert_eq!(record.user.as_option(), Some(ALICE), "{row}");
        if answers {
            let reply = pair.nas.believe(&request, &sent[0].octets);
            assert_eq!(reply.code, Code::AccessReject, "{row}");
            continue;
        }
        // Nor when the NAS asks again, with the same packet or another; it goes elsewhere.
        let again = pair.request();
        for request in [request, again] {
            assert!(lab.ask(&pair.nas, &request).is_none(), "{row}");
        }
        assert_eq!(lab.dropped("directory_unavailable"), 1, "{row}");
    }
}

/// The same inside of every tunnel, where the certificate is shown last.
#[test]
fn a_certificate_inside_of_a_tunnel_that_cannot_be_looked_up_is_refused_or_not_answered() {
    let silence = Answer::Unavailable(Why::new("nobody is there"));
    for outer in [Outer::Ttls, Outer::Peap, Outer::Teap] {
        for drops in [false, true] {
            let row = format!("row {outer:?}, drops {drops}");
            let (mut lab, library) = lab(silence.clone());
            lab.configure(|config| config.reject_when_unavailable = !drops);
            asks(&lab, &library);
            let mut settings = lab.profile_settings(GOOD);
            settings.method = outer;
            settings.remembered = 8;
            settings.inside = Some(InsideSettings {
                inner: Inner::Tls,
                by_eap: true,
                user: ALICE.into(),
                password: Secret::new(Vec::new()),
                binding: true,
                resumes: true,
                early: false,
                teap: TeapPeer::default(),
            });
            let profile = Arc::new(Profile::build(settings).unwrap());
            let mut pair = lab.pair_of(&profile);
            let (request, job) = up_to_the_question(&mut lab, &mut pair);
            let now = lab.now;
            let done = job.run(|| now);
            lab.servers[0].handle_job(now, done);
            let sent = lab.settle();
            assert_eq!(sent.len(), usize::from(!drops), "{row}");
            let record = lab.record();
            assert_eq!(refusal(&record), "nobody is there", "{row}");
            assert_eq!(record.user.as_option(), Some(ALICE), "{row}");
            if drops {
                assert!(lab.ask(&pair.nas, &request).is_none(), "{row}: again");
                assert_eq!(lab.dropped("directory_unavailable"), 1, "{row}");
            } else {
                let reply = pair.nas.believe(&request, &sent[0].octets);
                assert_eq!(reply.code, Code::AccessReject, "{row}");
            }
            assert!(!pair.report().indicated, "{row}");
            assert_eq!(
                lab.resumption.len(),
                0,
                "{row}: no ticket is worth anything"
            );

            // When the directory is back, so is the device, by another conversation.
            *library.answer.lock().unwrap() = Some(accepted());
            let mut pair = lab.pair_of(&profile);
            let (request, job) = up_to_the_question(&mut lab, &mut pair);
            go_on(&mut lab, &mut pair, &request, job).accepted(&pair.nas);
            assert!(!pair.report().resumed, "{row}");
        }
    }
}

#[test]
fn a_machine_is_judged_as_its_account_once_a_directory_knows_it() {
    for known in [false, true] {
        let mut lab = Lab::new();
        let machine = "host/pc1.contoso.com";
        let library = Arc::new(Library {
            answer: Mutex::new(Some(accepted())),
            machine: Some(Arc::from(machine)),
        });
        asks(&lab, &library);
        let holder = lab.root.device(&Device::default());
        let profile = Profile::build(lab.profile_of(holder)).unwrap();
        let mut pair = lab.pair_of(&Arc::new(profile));
        let (request, job) = up_to_the_question(&mut lab, &mut pair);
        if known {
            let user = UserReport::new(UserId::parse(machine).unwrap());
            lab.said(Update::User(user));
        }
        go_on(&mut lab, &mut pair, &request, job).accepted(&pair.nas);
        let record = lab.record();
        assert_eq!(record.user.as_option(), known.then_some(machine));
    }
}

#[test]
fn look_ups_have_as_many_places_as_other_questions() {
    let (mut lab, _) = lab(accepted());
    let mut waiting = Vec::new();
    for number in 0..MAX_INQUIRIES {
        let mut nas = lab.nas();
        nas.address.set_port(u16::try_from(2000 + number).unwrap());
        let request = nas.access(|request| {
            let name = format!("user-{number}");
            request
                .octets(AttributeType::USER_NAME, name.as_bytes())
                .user_password(b"secret");
        });
        let now = lab.now;
        lab.servers[0].handle_datagram(now, AUTHENTICATION, nas.address, &request);
        waiting.extend(lab.servers[0].poll_job());
    }
    assert_eq!(waiting.len(), MAX_INQUIRIES);
    // There is no place any more: it is as if nobody answered.
    let mut pair = lab.pair(GOOD);
    lab.login(&mut pair).rejected();
    assert!(refusal(&lab.record()).contains("too many wait"));
}
