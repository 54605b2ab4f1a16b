/**
 * The shapes that the server speaks, as JSDoc types. Nothing here runs; other modules refer to it by `import('./types.js')`.
 *
 * @typedef {{id: string, name: string, picture?: string}} User
 *
 * @typedef {{user: string, name?: string, role?: string, online?: boolean}} Member
 *
 * @typedef {object} Message
 * @property {string} id
 * @property {string} room
 * @property {string} sender
 * @property {string} [text]           absent when deleted, or when `content` is used
 * @property {object} [content]
 * @property {string} [reply_to]
 * @property {string[]} [mentions]
 * @property {string} [client_message_id]
 * @property {string} [position]       absent on imported messages, which come before all others
 * @property {number} [ordinal]        only from REST
 * @property {string} created_at
 * @property {string} [edited_at]
 * @property {boolean} [deleted]
 *
 * @typedef {object} Room
 * @property {string} id
 * @property {'direct'|'group'} kind
 * @property {boolean} [public]
 * @property {string} [name]
 * @property {string} [role]
 * @property {number} [member_count]
 * @property {string[]} [members]    user ids, in rooms of up to 100
 * @property {number} [last_ordinal]
 * @property {number} [read_ordinal]
 * @property {number} [unread]
 * @property {Message} [last_message]
 * @property {string} [muted_until]
 * @property {number} [version]
 *
 * @typedef {{messages: Message[], position: string, before?: number, after?: number}} Page
 *
 * @typedef {object} Settings
 * @property {boolean} [private_receipts]  nobody is told what one has read
 * @property {boolean} [preview]           notifications show the text
 * @property {{from: string, to: string, zone: string} | null} [quiet_hours]
 *
 * @typedef {{room: string, title: string, preview?: string, unread: number, position: string}} Notice
 *
 * @typedef {object} RoomEvent
 * @property {string} type
 * @property {string | Room} room
 * @property {string} [position]
 * @property {Message} [message]
 * @property {string} [id]
 * @property {string} [by]
 * @property {string} [user]
 * @property {boolean} [active]
 * @property {boolean} [online]
 * @property {{user: string, position?: string}[]} [markers]
 *
 * @typedef {{type: string, room: string | Room, position?: string, last_message?: Message}} RoomsEvent
 */
export {};
