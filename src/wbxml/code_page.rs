//! The code pages: which token is which element (MS-ASWBXML section 2.1.2.1).
//!
//! A page is a module of constants, so that code names elements as the documents do; the same lines
//! are the table by which a reader knows a token.

pub mod item;
pub mod service;
pub mod sync;

/// A page's table, sorted by token.
pub(super) struct Page {
    pub(super) name: &'static str,
    pub(super) elements: &'static [(u8, &'static str)],
}

/// Declares a page: its elements as constants, and all of them as a table.
macro_rules! page {
    (
        $(#[$about:meta])*
        $module:ident, $number:literal, $name:literal {
            $($constant:ident = $token:literal, $element:literal;)*
        }
    ) => {
        $(#[$about])*
        pub mod $module {
            use crate::wbxml::Tag;
            use crate::wbxml::code_page::Page;

            $(
                #[doc = concat!("`", $element, "`.")]
                pub const $constant: Tag = Tag::new($number, $token);
            )*

            pub(in crate::wbxml) const PAGE: Page = Page {
                name: $name,
                elements: &[$(($token, $element)),*],
            };
        }
    };
}
use page;

/// The page of this number. Page 3, AirNotify, is not in use any more.
pub(super) const fn page_of(number: u8) -> Option<&'static Page> {
    Some(match number {
        0 => &sync::air_sync::PAGE,
        1 => &item::contacts::PAGE,
        2 => &item::email::PAGE,
        4 => &item::calendar::PAGE,
        5 => &sync::r#move::PAGE,
        6 => &sync::get_item_estimate::PAGE,
        7 => &sync::folder_hierarchy::PAGE,
        8 => &item::meeting_response::PAGE,
        9 => &item::tasks::PAGE,
        10 => &service::resolve_recipients::PAGE,
        11 => &service::validate_cert::PAGE,
        12 => &item::contacts2::PAGE,
        13 => &sync::ping::PAGE,
        14 => &service::provision::PAGE,
        15 => &service::search::PAGE,
        16 => &service::gal::PAGE,
        17 => &item::air_sync_base::PAGE,
        18 => &service::settings::PAGE,
        19 => &service::document_library::PAGE,
        20 => &service::item_operations::PAGE,
        21 => &service::compose_mail::PAGE,
        22 => &item::email2::PAGE,
        23 => &item::notes::PAGE,
        24 => &service::rights_management::PAGE,
        25 => &service::find::PAGE,
        _ => return None,
    })
}
