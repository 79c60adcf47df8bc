//! All that is known of a device, as the `device` command and reports show it (R73).

use crate::inventory::mapping::Binding;
use crate::inventory::names::Names;
use crate::inventory::record::Walks;
use crate::inventory::statement::Detail;
use crate::inventory::statement::Statement;
use crate::model::CertificateId;
use crate::model::EasDeviceId;
use crate::model::EntraDeviceId;
use crate::model::GroupId;
use crate::model::MacAddress;
use crate::model::Posture;
use crate::model::SourceId;
use crate::model::Timestamp;
use crate::model::UserId;

/// A device for people.
#[derive(Clone, Debug)]
pub struct Description {
    /// The merged facts with their sources and times.
    pub posture: Posture,
    /// The owner's own name.
    pub owner: Option<UserId>,
    /// The device's groups.
    pub groups: Vec<GroupId>,
    /// What people call it, by the first source that says so.
    pub name: Option<String>,
    /// Model, by the first source that says so.
    pub model: Option<String>,
    /// Entra ids, of all sources.
    pub entra: Vec<EntraDeviceId>,
    /// Serial numbers, of all sources.
    pub serials: Vec<String>,
    /// Addresses, of all sources.
    pub macs: Vec<MacAddress>,
    /// Certificates, of all sources.
    pub certificates: Vec<CertificateId>,
    /// ActiveSync ids that sources state, and those learned from mail.
    pub eas: Vec<EasUse>,
    /// The sources that know the device, in order of precedence, and when each last said so.
    pub sources: Vec<(SourceId, Timestamp)>,
}

/// An ActiveSync id of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EasUse {
    /// The id.
    pub eas: EasDeviceId,
    /// Who uses it; `None` when a source states it for a device without owner.
    pub user: Option<UserId>,
    /// When an upstream showed it; `None` when only a source states it, and of one that is displaced.
    pub learned: Option<Timestamp>,
    /// Whether another one has taken its place: the device is not found by this one any more.
    pub is_displaced: bool,
}

impl Description {
    pub(crate) fn new(posture: Posture, groups: Vec<GroupId>, names: &Names) -> Self {
        Self {
            owner: posture.owner.and_then(|owner| names.text(owner.0).cloned()),
            posture,
            groups,
            name: None,
            model: None,
            entra: Vec::new(),
            serials: Vec::new(),
            macs: Vec::new(),
            certificates: Vec::new(),
            eas: Vec::new(),
            sources: Vec::new(),
        }
    }

    pub(crate) fn add_statements(&mut self, statements: &[Statement], walks: &Walks) {
        for said in statements {
            self.sources
                .push((said.source, walks.observed(said.source, said.at)));
            for detail in said.details.iter() {
                self.add_detail(detail);
            }
        }
    }

    pub(crate) fn add_bindings(&mut self, bindings: &[Binding], names: &Names) {
        for binding in bindings {
            let (eas, learned) = (binding.eas, Some(binding.at));
            let user = names.text(binding.user.get()).cloned();
            let stated = (self.eas.iter_mut()).find(|of| of.eas == eas && of.user == user);
            match stated {
                Some(of) => of.learned = learned,
                None => self.eas.push(EasUse {
                    eas,
                    user,
                    learned,
                    is_displaced: false,
                }),
            }
        }
    }

    /// Marks those of the ids that are displaced, and adds those that are not there.
    pub(crate) fn add_displaced(&mut self, displaced: Vec<(EasDeviceId, Option<UserId>)>) {
        for (eas, user) in displaced {
            let known = (self.eas.iter_mut()).find(|of| of.eas == eas && of.user == user);
            match known {
                Some(of) => of.is_displaced = of.learned.is_none(),
                None => self.eas.push(EasUse {
                    eas,
                    user,
                    learned: None,
                    is_displaced: true,
                }),
            }
        }
    }

    fn add_detail(&mut self, detail: Detail<'_>) {
        match detail {
            Detail::Entra(entra) => add(&mut self.entra, entra),
            Detail::Certificate(certificate) => add(&mut self.certificates, certificate),
            Detail::Serial(serial) => add(&mut self.serials, serial.to_owned()),
            Detail::Eas(eas) => {
                let user = self.owner.clone();
                let of = EasUse {
                    eas,
                    user,
                    learned: None,
                    is_displaced: false,
                };
                add(&mut self.eas, of);
            }
            Detail::Mac(mac) => add(&mut self.macs, mac),
            Detail::Name(name) => self.name = self.name.take().or_else(|| Some(name.to_owned())),
            Detail::Model(model) => {
                self.model = self.model.take().or_else(|| Some(model.to_owned()));
            }
            Detail::GraceUntil(_) => {}
        }
    }
}

fn add<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}
