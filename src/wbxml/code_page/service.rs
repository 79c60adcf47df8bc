//! Policies, settings, searches and what is done with single items.

use crate::wbxml::code_page::page;

page! {
    /// Code page 10, ResolveRecipients (MS-ASWBXML section 2.1.2.1.11).
    resolve_recipients, 10, "ResolveRecipients" {
        RESOLVE_RECIPIENTS = 0x05, "ResolveRecipients";
        RESPONSE = 0x06, "Response";
        STATUS = 0x07, "Status";
        TYPE = 0x08, "Type";
        RECIPIENT = 0x09, "Recipient";
        DISPLAY_NAME = 0x0A, "DisplayName";
        EMAIL_ADDRESS = 0x0B, "EmailAddress";
        CERTIFICATES = 0x0C, "Certificates";
        CERTIFICATE = 0x0D, "Certificate";
        MINI_CERTIFICATE = 0x0E, "MiniCertificate";
        OPTIONS = 0x0F, "Options";
        TO = 0x10, "To";
        CERTIFICATE_RETRIEVAL = 0x11, "CertificateRetrieval";
        RECIPIENT_COUNT = 0x12, "RecipientCount";
        MAX_CERTIFICATES = 0x13, "MaxCertificates";
        MAX_AMBIGUOUS_RECIPIENTS = 0x14, "MaxAmbiguousRecipients";
        CERTIFICATE_COUNT = 0x15, "CertificateCount";
        AVAILABILITY = 0x16, "Availability";
        START_TIME = 0x17, "StartTime";
        END_TIME = 0x18, "EndTime";
        MERGED_FREE_BUSY = 0x19, "MergedFreeBusy";
        PICTURE = 0x1A, "Picture";
        MAX_SIZE = 0x1B, "MaxSize";
        DATA = 0x1C, "Data";
        MAX_PICTURES = 0x1D, "MaxPictures";
    }
}

page! {
    /// Code page 11, ValidateCert (MS-ASWBXML section 2.1.2.1.12).
    validate_cert, 11, "ValidateCert" {
        VALIDATE_CERT = 0x05, "ValidateCert";
        CERTIFICATES = 0x06, "Certificates";
        CERTIFICATE = 0x07, "Certificate";
        CERTIFICATE_CHAIN = 0x08, "CertificateChain";
        CHECK_CRL = 0x09, "CheckCrl";
        STATUS = 0x0A, "Status";
    }
}

page! {
    /// Code page 14, Provision (MS-ASWBXML section 2.1.2.1.15).
    provision, 14, "Provision" {
        PROVISION = 0x05, "Provision";
        POLICIES = 0x06, "Policies";
        POLICY = 0x07, "Policy";
        POLICY_TYPE = 0x08, "PolicyType";
        POLICY_KEY = 0x09, "PolicyKey";
        DATA = 0x0A, "Data";
        STATUS = 0x0B, "Status";
        REMOTE_WIPE = 0x0C, "RemoteWipe";
        EAS_PROVISION_DOC = 0x0D, "EASProvisionDoc";
        DEVICE_PASSWORD_ENABLED = 0x0E, "DevicePasswordEnabled";
        ALPHANUMERIC_DEVICE_PASSWORD_REQUIRED = 0x0F, "AlphanumericDevicePasswordRequired";
        REQUIRE_STORAGE_CARD_ENCRYPTION = 0x10, "RequireStorageCardEncryption";
        PASSWORD_RECOVERY_ENABLED = 0x11, "PasswordRecoveryEnabled";
        ATTACHMENTS_ENABLED = 0x13, "AttachmentsEnabled";
        MIN_DEVICE_PASSWORD_LENGTH = 0x14, "MinDevicePasswordLength";
        MAX_INACTIVITY_TIME_DEVICE_LOCK = 0x15, "MaxInactivityTimeDeviceLock";
        MAX_DEVICE_PASSWORD_FAILED_ATTEMPTS = 0x16, "MaxDevicePasswordFailedAttempts";
        MAX_ATTACHMENT_SIZE = 0x17, "MaxAttachmentSize";
        ALLOW_SIMPLE_DEVICE_PASSWORD = 0x18, "AllowSimpleDevicePassword";
        DEVICE_PASSWORD_EXPIRATION = 0x19, "DevicePasswordExpiration";
        DEVICE_PASSWORD_HISTORY = 0x1A, "DevicePasswordHistory";
        ALLOW_STORAGE_CARD = 0x1B, "AllowStorageCard";
        ALLOW_CAMERA = 0x1C, "AllowCamera";
        REQUIRE_DEVICE_ENCRYPTION = 0x1D, "RequireDeviceEncryption";
        ALLOW_UNSIGNED_APPLICATIONS = 0x1E, "AllowUnsignedApplications";
        ALLOW_UNSIGNED_INSTALLATION_PACKAGES = 0x1F, "AllowUnsignedInstallationPackages";
        MIN_DEVICE_PASSWORD_COMPLEX_CHARACTERS = 0x20, "MinDevicePasswordComplexCharacters";
        ALLOW_WI_FI = 0x21, "AllowWiFi";
        ALLOW_TEXT_MESSAGING = 0x22, "AllowTextMessaging";
        ALLOW_POPIMAP_EMAIL = 0x23, "AllowPOPIMAPEmail";
        ALLOW_BLUETOOTH = 0x24, "AllowBluetooth";
        ALLOW_IR_DA = 0x25, "AllowIrDA";
        REQUIRE_MANUAL_SYNC_WHEN_ROAMING = 0x26, "RequireManualSyncWhenRoaming";
        ALLOW_DESKTOP_SYNC = 0x27, "AllowDesktopSync";
        MAX_CALENDAR_AGE_FILTER = 0x28, "MaxCalendarAgeFilter";
        ALLOW_HTML_EMAIL = 0x29, "AllowHTMLEmail";
        MAX_EMAIL_AGE_FILTER = 0x2A, "MaxEmailAgeFilter";
        MAX_EMAIL_BODY_TRUNCATION_SIZE = 0x2B, "MaxEmailBodyTruncationSize";
        MAX_EMAIL_HTML_BODY_TRUNCATION_SIZE = 0x2C, "MaxEmailHTMLBodyTruncationSize";
        REQUIRE_SIGNED_SMIME_MESSAGES = 0x2D, "RequireSignedSMIMEMessages";
        REQUIRE_ENCRYPTED_SMIME_MESSAGES = 0x2E, "RequireEncryptedSMIMEMessages";
        REQUIRE_SIGNED_SMIME_ALGORITHM = 0x2F, "RequireSignedSMIMEAlgorithm";
        REQUIRE_ENCRYPTION_SMIME_ALGORITHM = 0x30, "RequireEncryptionSMIMEAlgorithm";
        ALLOW_SMIME_ENCRYPTION_ALGORITHM_NEGOTIATION = 0x31, "AllowSMIMEEncryptionAlgorithmNegotiation";
        ALLOW_SMIME_SOFT_CERTS = 0x32, "AllowSMIMESoftCerts";
        ALLOW_BROWSER = 0x33, "AllowBrowser";
        ALLOW_CONSUMER_EMAIL = 0x34, "AllowConsumerEmail";
        ALLOW_REMOTE_DESKTOP = 0x35, "AllowRemoteDesktop";
        ALLOW_INTERNET_SHARING = 0x36, "AllowInternetSharing";
        UNAPPROVED_IN_ROM_APPLICATION_LIST = 0x37, "UnapprovedInROMApplicationList";
        APPLICATION_NAME = 0x38, "ApplicationName";
        APPROVED_APPLICATION_LIST = 0x39, "ApprovedApplicationList";
        HASH = 0x3A, "Hash";
        ACCOUNT_ONLY_REMOTE_WIPE = 0x3B, "AccountOnlyRemoteWipe";
    }
}

page! {
    /// Code page 15, Search (MS-ASWBXML section 2.1.2.1.16).
    search, 15, "Search" {
        SEARCH = 0x05, "Search";
        STORE = 0x07, "Store";
        NAME = 0x08, "Name";
        QUERY = 0x09, "Query";
        OPTIONS = 0x0A, "Options";
        RANGE = 0x0B, "Range";
        STATUS = 0x0C, "Status";
        RESPONSE = 0x0D, "Response";
        RESULT = 0x0E, "Result";
        PROPERTIES = 0x0F, "Properties";
        TOTAL = 0x10, "Total";
        EQUAL_TO = 0x11, "EqualTo";
        VALUE = 0x12, "Value";
        AND = 0x13, "And";
        OR = 0x14, "Or";
        FREE_TEXT = 0x15, "FreeText";
        DEEP_TRAVERSAL = 0x17, "DeepTraversal";
        LONG_ID = 0x18, "LongId";
        REBUILD_RESULTS = 0x19, "RebuildResults";
        LESS_THAN = 0x1A, "LessThan";
        GREATER_THAN = 0x1B, "GreaterThan";
        USER_NAME = 0x1E, "UserName";
        PASSWORD = 0x1F, "Password";
        CONVERSATION_ID = 0x20, "ConversationId";
        PICTURE = 0x21, "Picture";
        MAX_SIZE = 0x22, "MaxSize";
        MAX_PICTURES = 0x23, "MaxPictures";
    }
}

page! {
    /// Code page 16, Gal (MS-ASWBXML section 2.1.2.1.17).
    gal, 16, "Gal" {
        DISPLAY_NAME = 0x05, "DisplayName";
        PHONE = 0x06, "Phone";
        OFFICE = 0x07, "Office";
        TITLE = 0x08, "Title";
        COMPANY = 0x09, "Company";
        ALIAS = 0x0A, "Alias";
        FIRST_NAME = 0x0B, "FirstName";
        LAST_NAME = 0x0C, "LastName";
        HOME_PHONE = 0x0D, "HomePhone";
        MOBILE_PHONE = 0x0E, "MobilePhone";
        EMAIL_ADDRESS = 0x0F, "EmailAddress";
        PICTURE = 0x10, "Picture";
        STATUS = 0x11, "Status";
        DATA = 0x12, "Data";
    }
}

page! {
    /// Code page 18, Settings (MS-ASWBXML section 2.1.2.1.19).
    settings, 18, "Settings" {
        SETTINGS = 0x05, "Settings";
        STATUS = 0x06, "Status";
        GET = 0x07, "Get";
        SET = 0x08, "Set";
        OOF = 0x09, "Oof";
        OOF_STATE = 0x0A, "OofState";
        START_TIME = 0x0B, "StartTime";
        END_TIME = 0x0C, "EndTime";
        OOF_MESSAGE = 0x0D, "OofMessage";
        APPLIES_TO_INTERNAL = 0x0E, "AppliesToInternal";
        APPLIES_TO_EXTERNAL_KNOWN = 0x0F, "AppliesToExternalKnown";
        APPLIES_TO_EXTERNAL_UNKNOWN = 0x10, "AppliesToExternalUnknown";
        ENABLED = 0x11, "Enabled";
        REPLY_MESSAGE = 0x12, "ReplyMessage";
        BODY_TYPE = 0x13, "BodyType";
        DEVICE_PASSWORD = 0x14, "DevicePassword";
        PASSWORD = 0x15, "Password";
        DEVICE_INFORMATION = 0x16, "DeviceInformation";
        MODEL = 0x17, "Model";
        IMEI = 0x18, "IMEI";
        FRIENDLY_NAME = 0x19, "FriendlyName";
        OS = 0x1A, "OS";
        OS_LANGUAGE = 0x1B, "OSLanguage";
        PHONE_NUMBER = 0x1C, "PhoneNumber";
        USER_INFORMATION = 0x1D, "UserInformation";
        EMAIL_ADDRESSES = 0x1E, "EmailAddresses";
        SMTP_ADDRESS = 0x1F, "SMTPAddress";
        USER_AGENT = 0x20, "UserAgent";
        ENABLE_OUTBOUND_SMS = 0x21, "EnableOutboundSMS";
        MOBILE_OPERATOR = 0x22, "MobileOperator";
        PRIMARY_SMTP_ADDRESS = 0x23, "PrimarySmtpAddress";
        ACCOUNTS = 0x24, "Accounts";
        ACCOUNT = 0x25, "Account";
        ACCOUNT_ID = 0x26, "AccountId";
        ACCOUNT_NAME = 0x27, "AccountName";
        USER_DISPLAY_NAME = 0x28, "UserDisplayName";
        SEND_DISABLED = 0x29, "SendDisabled";
        RIGHTS_MANAGEMENT_INFORMATION = 0x2B, "RightsManagementInformation";
    }
}

page! {
    /// Code page 19, DocumentLibrary (MS-ASWBXML section 2.1.2.1.20).
    document_library, 19, "DocumentLibrary" {
        LINK_ID = 0x05, "LinkId";
        DISPLAY_NAME = 0x06, "DisplayName";
        IS_FOLDER = 0x07, "IsFolder";
        CREATION_DATE = 0x08, "CreationDate";
        LAST_MODIFIED_DATE = 0x09, "LastModifiedDate";
        IS_HIDDEN = 0x0A, "IsHidden";
        CONTENT_LENGTH = 0x0B, "ContentLength";
        CONTENT_TYPE = 0x0C, "ContentType";
    }
}

page! {
    /// Code page 20, ItemOperations (MS-ASWBXML section 2.1.2.1.21).
    item_operations, 20, "ItemOperations" {
        ITEM_OPERATIONS = 0x05, "ItemOperations";
        FETCH = 0x06, "Fetch";
        STORE = 0x07, "Store";
        OPTIONS = 0x08, "Options";
        RANGE = 0x09, "Range";
        TOTAL = 0x0A, "Total";
        PROPERTIES = 0x0B, "Properties";
        DATA = 0x0C, "Data";
        STATUS = 0x0D, "Status";
        RESPONSE = 0x0E, "Response";
        VERSION = 0x0F, "Version";
        SCHEMA = 0x10, "Schema";
        PART = 0x11, "Part";
        EMPTY_FOLDER_CONTENTS = 0x12, "EmptyFolderContents";
        DELETE_SUB_FOLDERS = 0x13, "DeleteSubFolders";
        USER_NAME = 0x14, "UserName";
        PASSWORD = 0x15, "Password";
        MOVE = 0x16, "Move";
        DST_FLD_ID = 0x17, "DstFldId";
        CONVERSATION_ID = 0x18, "ConversationId";
        MOVE_ALWAYS = 0x19, "MoveAlways";
    }
}

page! {
    /// Code page 21, ComposeMail (MS-ASWBXML section 2.1.2.1.22).
    compose_mail, 21, "ComposeMail" {
        SEND_MAIL = 0x05, "SendMail";
        SMART_FORWARD = 0x06, "SmartForward";
        SMART_REPLY = 0x07, "SmartReply";
        SAVE_IN_SENT_ITEMS = 0x08, "SaveInSentItems";
        REPLACE_MIME = 0x09, "ReplaceMime";
        SOURCE = 0x0B, "Source";
        FOLDER_ID = 0x0C, "FolderId";
        ITEM_ID = 0x0D, "ItemId";
        LONG_ID = 0x0E, "LongId";
        INSTANCE_ID = 0x0F, "InstanceId";
        MIME = 0x10, "Mime";
        CLIENT_ID = 0x11, "ClientId";
        STATUS = 0x12, "Status";
        ACCOUNT_ID = 0x13, "AccountId";
        FORWARDEES = 0x15, "Forwardees";
        FORWARDEE = 0x16, "Forwardee";
        FORWARDEE_NAME = 0x17, "ForwardeeName";
        FORWARDEE_EMAIL = 0x18, "ForwardeeEmail";
    }
}

page! {
    /// Code page 24, RightsManagement (MS-ASWBXML section 2.1.2.1.25).
    rights_management, 24, "RightsManagement" {
        RIGHTS_MANAGEMENT_SUPPORT = 0x05, "RightsManagementSupport";
        RIGHTS_MANAGEMENT_TEMPLATES = 0x06, "RightsManagementTemplates";
        RIGHTS_MANAGEMENT_TEMPLATE = 0x07, "RightsManagementTemplate";
        RIGHTS_MANAGEMENT_LICENSE = 0x08, "RightsManagementLicense";
        EDIT_ALLOWED = 0x09, "EditAllowed";
        REPLY_ALLOWED = 0x0A, "ReplyAllowed";
        REPLY_ALL_ALLOWED = 0x0B, "ReplyAllAllowed";
        FORWARD_ALLOWED = 0x0C, "ForwardAllowed";
        MODIFY_RECIPIENTS_ALLOWED = 0x0D, "ModifyRecipientsAllowed";
        EXTRACT_ALLOWED = 0x0E, "ExtractAllowed";
        PRINT_ALLOWED = 0x0F, "PrintAllowed";
        EXPORT_ALLOWED = 0x10, "ExportAllowed";
        PROGRAMMATIC_ACCESS_ALLOWED = 0x11, "ProgrammaticAccessAllowed";
        OWNER = 0x12, "Owner";
        CONTENT_EXPIRY_DATE = 0x13, "ContentExpiryDate";
        TEMPLATE_ID = 0x14, "TemplateID";
        TEMPLATE_NAME = 0x15, "TemplateName";
        TEMPLATE_DESCRIPTION = 0x16, "TemplateDescription";
        CONTENT_OWNER = 0x17, "ContentOwner";
        REMOVE_RIGHTS_MANAGEMENT_PROTECTION = 0x18, "RemoveRightsManagementProtection";
    }
}

page! {
    /// Code page 25, Find (MS-ASWBXML section 2.1.2.1.26).
    find, 25, "Find" {
        FIND = 0x05, "Find";
        SEARCH_ID = 0x06, "SearchId";
        EXECUTE_SEARCH = 0x07, "ExecuteSearch";
        MAIL_BOX_SEARCH_CRITERION = 0x08, "MailBoxSearchCriterion";
        QUERY = 0x09, "Query";
        STATUS = 0x0A, "Status";
        FREE_TEXT = 0x0B, "FreeText";
        OPTIONS = 0x0C, "Options";
        RANGE = 0x0D, "Range";
        DEEP_TRAVERSAL = 0x0E, "DeepTraversal";
        RESPONSE = 0x11, "Response";
        RESULT = 0x12, "Result";
        PROPERTIES = 0x13, "Properties";
        PREVIEW = 0x14, "Preview";
        HAS_ATTACHMENTS = 0x15, "HasAttachments";
        TOTAL = 0x16, "Total";
        DISPLAY_CC = 0x17, "DisplayCc";
        DISPLAY_BCC = 0x18, "DisplayBcc";
        GAL_SEARCH_CRITERION = 0x19, "GALSearchCriterion";
        MAX_PICTURES = 0x20, "MaxPictures";
        MAX_SIZE = 0x21, "MaxSize";
        PICTURE = 0x22, "Picture";
    }
}
