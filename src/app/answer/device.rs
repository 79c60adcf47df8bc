//! What is known of a device, for `portreeve device`.

use serde_json::Value;
use serde_json::json;

use super::Desk;
use crate::inventory::Description;
use crate::inventory::EasUse;
use crate::model::Fact;
use crate::model::Plain;
use crate::model::Timestamp;
use crate::model::UserId;
use crate::net::control::Response;

impl Desk {
    pub(super) fn describe(&self, device: &Description) -> Response {
        let now = self.clock.now().wall;
        let mut text = String::new();
        let mut facts = serde_json::Map::new();
        let posture = &device.posture;
        let mut line = |name: &str, value: String| {
            text.push_str(&format!("{name:<16} {}\n", Plain(value)));
        };
        line("device", posture.device.to_string());
        if let Some(name) = &device.name {
            line("name", name.clone());
        }
        if let Some(owner) = &device.owner {
            line("owner", owner.to_string());
        }
        line(
            "platform",
            format!("{} {}", posture.platform, posture.os_version),
        );
        let mut fact = |name: &str, (shown, json): (String, Value)| {
            line(name, shown);
            facts.insert(name.to_owned(), json);
        };
        fact("managed", self.fact(&posture.managed, now));
        fact("registered", self.fact(&posture.registered, now));
        fact("compliance", self.fact(&posture.compliance, now));
        fact("encrypted", self.fact(&posture.encrypted, now));
        fact("jailbroken", self.fact(&posture.jailbroken, now));
        fact("passcode", self.fact(&posture.passcode, now));
        fact("eas_activated", self.fact(&posture.eas_activated, now));
        fact("threat", self.fact(&posture.threat, now));
        line("join", posture.join.to_string());
        line("ownership", posture.ownership.to_string());
        line("retirement", posture.retirement.as_str().to_owned());
        let macs: Vec<_> = device.macs.iter().map(ToString::to_string).collect();
        let eas: Vec<_> = device.eas.iter().map(|of| self.spelled(of)).collect();
        let shown = device.eas.iter().zip(&eas).map(|(of, spelled)| {
            let more = if of.is_displaced { " (displaced)" } else { "" };
            format!("{spelled}{more}")
        });
        let shown: Vec<_> = shown.collect();
        let displaced = device.eas.iter().zip(&eas);
        let displaced = displaced.filter(|(of, _)| of.is_displaced);
        let displaced: Vec<_> = displaced.map(|(_, spelled)| spelled).collect();
        line("serials", device.serials.join(", "));
        line("macs", macs.join(", "));
        line("eas", shown.join(", "));
        let json = json!({
            "device": posture.device.to_string(),
            "name": device.name,
            "model": device.model,
            "owner": device.owner.as_ref().map(ToString::to_string),
            "platform": posture.platform.as_str(),
            "os_version": posture.os_version.to_string(),
            "join": posture.join.as_str(),
            "ownership": posture.ownership.as_str(),
            "retirement": posture.retirement.as_str(),
            "facts": facts,
            "serials": device.serials,
            "macs": macs,
            "eas": eas,
            "eas_displaced": displaced,
        });
        Response::Answer { json, text }
    }

    /// An ActiveSync id as its device spells it; of one that has not been here, in small letters.
    fn spelled(&self, of: &EasUse) -> String {
        let user = of.user.as_ref().map(UserId::as_str);
        let clients = self.clients.find(of.eas.as_str(), user);
        let spelled = clients.first().map(|client| client.spelled.to_string());
        spelled.unwrap_or_else(|| of.eas.to_string())
    }

    fn fact<T: ToString>(&self, fact: &Fact<T>, now: Timestamp) -> (String, Value) {
        let value = fact.value.to_string();
        if !fact.is_known() {
            return (value.clone(), json!({ "value": value }));
        }
        let age = fact.age(now).as_secs();
        let source = self
            .point
            .reader()
            .source_name(fact.source)
            .unwrap_or_default();
        let shown = format!("{value} ({source}, {age} s old)");
        (
            shown,
            json!({ "value": value, "source": source, "age": age }),
        )
    }
}
