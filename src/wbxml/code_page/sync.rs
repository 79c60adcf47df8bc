//! Synchronisation: folders, items and waiting for them.

use crate::wbxml::code_page::page;

page! {
    /// Code page 0, AirSync (MS-ASWBXML section 2.1.2.1.1).
    air_sync, 0, "AirSync" {
        SYNC = 0x05, "Sync";
        RESPONSES = 0x06, "Responses";
        ADD = 0x07, "Add";
        CHANGE = 0x08, "Change";
        DELETE = 0x09, "Delete";
        FETCH = 0x0A, "Fetch";
        SYNC_KEY = 0x0B, "SyncKey";
        CLIENT_ID = 0x0C, "ClientId";
        SERVER_ID = 0x0D, "ServerId";
        STATUS = 0x0E, "Status";
        COLLECTION = 0x0F, "Collection";
        CLASS = 0x10, "Class";
        VERSION = 0x11, "Version";
        COLLECTION_ID = 0x12, "CollectionId";
        GET_CHANGES = 0x13, "GetChanges";
        MORE_AVAILABLE = 0x14, "MoreAvailable";
        WINDOW_SIZE = 0x15, "WindowSize";
        COMMANDS = 0x16, "Commands";
        OPTIONS = 0x17, "Options";
        FILTER_TYPE = 0x18, "FilterType";
        TRUNCATION = 0x19, "Truncation";
        RTF_TRUNCATION = 0x1A, "RtfTruncation";
        CONFLICT = 0x1B, "Conflict";
        COLLECTIONS = 0x1C, "Collections";
        APPLICATION_DATA = 0x1D, "ApplicationData";
        DELETES_AS_MOVES = 0x1E, "DeletesAsMoves";
        SUPPORTED = 0x20, "Supported";
        SOFT_DELETE = 0x21, "SoftDelete";
        MIME_SUPPORT = 0x22, "MIMESupport";
        MIME_TRUNCATION = 0x23, "MIMETruncation";
        WAIT = 0x24, "Wait";
        LIMIT = 0x25, "Limit";
        PARTIAL = 0x26, "Partial";
        CONVERSATION_MODE = 0x27, "ConversationMode";
        MAX_ITEMS = 0x28, "MaxItems";
        HEARTBEAT_INTERVAL = 0x29, "HeartbeatInterval";
    }
}

page! {
    /// Code page 7, FolderHierarchy (MS-ASWBXML section 2.1.2.1.8).
    folder_hierarchy, 7, "FolderHierarchy" {
        FOLDERS = 0x05, "Folders";
        FOLDER = 0x06, "Folder";
        DISPLAY_NAME = 0x07, "DisplayName";
        SERVER_ID = 0x08, "ServerId";
        PARENT_ID = 0x09, "ParentId";
        TYPE = 0x0A, "Type";
        STATUS = 0x0C, "Status";
        CHANGES = 0x0E, "Changes";
        ADD = 0x0F, "Add";
        DELETE = 0x10, "Delete";
        UPDATE = 0x11, "Update";
        SYNC_KEY = 0x12, "SyncKey";
        FOLDER_CREATE = 0x13, "FolderCreate";
        FOLDER_DELETE = 0x14, "FolderDelete";
        FOLDER_UPDATE = 0x15, "FolderUpdate";
        FOLDER_SYNC = 0x16, "FolderSync";
        COUNT = 0x17, "Count";
    }
}

page! {
    /// Code page 13, Ping (MS-ASWBXML section 2.1.2.1.14).
    ping, 13, "Ping" {
        PING = 0x05, "Ping";
        AUTD_STATE = 0x06, "AutdState";
        STATUS = 0x07, "Status";
        HEARTBEAT_INTERVAL = 0x08, "HeartbeatInterval";
        FOLDERS = 0x09, "Folders";
        FOLDER = 0x0A, "Folder";
        ID = 0x0B, "Id";
        CLASS = 0x0C, "Class";
        MAX_FOLDERS = 0x0D, "MaxFolders";
    }
}

page! {
    /// Code page 5, Move (MS-ASWBXML section 2.1.2.1.6).
    r#move, 5, "Move" {
        MOVE_ITEMS = 0x05, "MoveItems";
        MOVE = 0x06, "Move";
        SRC_MSG_ID = 0x07, "SrcMsgId";
        SRC_FLD_ID = 0x08, "SrcFldId";
        DST_FLD_ID = 0x09, "DstFldId";
        RESPONSE = 0x0A, "Response";
        STATUS = 0x0B, "Status";
        DST_MSG_ID = 0x0C, "DstMsgId";
    }
}

page! {
    /// Code page 6, GetItemEstimate (MS-ASWBXML section 2.1.2.1.7).
    get_item_estimate, 6, "GetItemEstimate" {
        GET_ITEM_ESTIMATE = 0x05, "GetItemEstimate";
        VERSION = 0x06, "Version";
        COLLECTIONS = 0x07, "Collections";
        COLLECTION = 0x08, "Collection";
        CLASS = 0x09, "Class";
        COLLECTION_ID = 0x0A, "CollectionId";
        DATE_TIME = 0x0B, "DateTime";
        ESTIMATE = 0x0C, "Estimate";
        RESPONSE = 0x0D, "Response";
        STATUS = 0x0E, "Status";
    }
}
